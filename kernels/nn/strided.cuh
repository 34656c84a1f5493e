// SPDX-License-Identifier: Apache-2.0
// Indices of strided arrays of up to six axes.
#pragma once
#include "../common/cuda.cuh"

constexpr int AXES = 6;

// Where element `flat` of a row-major array of this shape lies in an array of these strides.
__device__ inline int64_t strided_offset(int64_t flat, const int32_t (&shape)[AXES], const int32_t (&stride)[AXES]) {
    int64_t offset = 0;
#pragma unroll
    for (int axis = AXES - 1; axis >= 0; axis--) {
        if (shape[axis] > 1) {
            offset += flat % shape[axis] * stride[axis];
            flat /= shape[axis];
        }
    }
    return offset;
}
