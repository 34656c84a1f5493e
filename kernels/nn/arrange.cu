// SPDX-License-Identifier: Apache-2.0
// Copies between strided layouts.
#include "../common/cuda.cuh"
#include "params.h"
#include "strided.cuh"

template <class T>
__device__ inline void arrange_elements(const ArrangeParams& p) {
    const T* x = static_cast<const T*>(p.x);
    T* y = static_cast<T*>(p.y);
    FOR_EACH_ELEMENT(i, p.count) {
        y[strided_offset(i, p.shape, p.stride_y)] = x[strided_offset(i, p.shape, p.stride_x)];
    }
}

extern "C" __global__ void arrange(const __grid_constant__ ArrangeParams p) { arrange_elements<uint32_t>(p); }
REGISTER_KERNEL(arrange)

// Four elements at a time.
extern "C" __global__ void arrange_vectors(const __grid_constant__ ArrangeParams p) { arrange_elements<float4>(p); }
REGISTER_KERNEL(arrange_vectors)
