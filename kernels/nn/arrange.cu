// SPDX-License-Identifier: Apache-2.0
// Copies between strided layouts, and sums.
#include "../common/mma.cuh"
#include "params.h"
#include "strided.cuh"

__device__ inline uint32_t sum(uint32_t a, uint32_t b) { return as_bits(as_float(a) + as_float(b)); }
__device__ inline float4 sum(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

template <class T>
__device__ inline void arrange_elements(const ArrangeParams& p) {
    const T* x = static_cast<const T*>(p.x);
    T* y = static_cast<T*>(p.y);
    FOR_EACH_ELEMENT(i, p.count) {
        T& to = y[strided_offset(i, p.shape, p.stride_y)];
        const T from = x[strided_offset(i, p.shape, p.stride_x)];
        to = p.adds ? sum(to, from) : from;
    }
}

extern "C" __global__ void arrange(const __grid_constant__ ArrangeParams p) { arrange_elements<uint32_t>(p); }
REGISTER_KERNEL(arrange)

// Four elements at a time.
extern "C" __global__ void arrange_vectors(const __grid_constant__ ArrangeParams p) { arrange_elements<float4>(p); }
REGISTER_KERNEL(arrange_vectors)
