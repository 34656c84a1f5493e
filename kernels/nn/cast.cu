// SPDX-License-Identifier: Apache-2.0
// y[i] = x[i] from one storage type to another, to nearest, ties to even.
#include "../common/mma.cuh"
#include "params.h"

template <class From, class To>
__device__ void cast_elements(const void* from, void* to, int64_t count) {
    const From* x = static_cast<const From*>(from);
    To* y = static_cast<To*>(to);
    FOR_EACH_ELEMENT(i, count) {
        store(&y[i], to_float(x[i]));
    }
}

template <class From>
__device__ void cast_from(const CastParams& p) {
    switch (p.to) {
        case 0: return cast_elements<From, float>(p.x, p.y, p.count);
        case 1: return cast_elements<From, Bf16>(p.x, p.y, p.count);
        default: return cast_elements<From, F16>(p.x, p.y, p.count);
    }
}

extern "C" __global__ void cast(const __grid_constant__ CastParams p) {
    switch (p.from) {
        case 0: return cast_from<float>(p);
        case 1: return cast_from<Bf16>(p);
        default: return cast_from<F16>(p);
    }
}
REGISTER_KERNEL(cast)
