// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

// S = X Y^T and O = S Y; X [rows, dim] and Y [32, dim] of the kernel's storage type.
struct MmaTestParams {
    const void* x;
    const void* y;
    float* s;  // [rows, 32]
    float* o;  // [rows, dim]
    int32_t precision;
};
