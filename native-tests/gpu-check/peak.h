// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

// For the kernels of peak.cu.
struct PeakParams {
    float* out;  // [blocks, 256]
    int32_t rounds;
};
