// SPDX-License-Identifier: Apache-2.0
#pragma once

// For the kernels of planted.cu, each of which has one defect.
struct PlantedParams {
    float* out;  // [64]
    int at;      // the index of a bad access, else the number of threads
};
