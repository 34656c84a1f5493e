// SPDX-License-Identifier: Apache-2.0
// Lets g++ compile kernels/*.cu for the CPU: the part of CUDA C++ that they use, over the simulator in simulator.h. It is
// force-included ahead of every kernel source. What is not here does not compile, which is how one notices.
#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "canary.h"
#include "simulator.h"
#include "tensor_cores.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)

#define threadIdx (::sim::current->index)
#define blockIdx (::sim::block_index)
#define blockDim (::sim::block_extent)
#define gridDim (::sim::grid_extent)

// Blocks run one after another, so one static array per name serves them all.
#define SHARED(type, name, extents) \
    static struct { \
        alignas(16) type array extents; \
        char canary[::sim::CANARY_BYTES]; \
    } slot_of_##name; \
    auto& name = slot_of_##name.array; \
    ::sim::enter_shared(&name, sizeof(name), slot_of_##name.canary, #name)
#define SHARED_DYNAMIC(type, name) type* const name = static_cast<type*>(::sim::dynamic_shared())
#define SCHEDULING_FENCE()
#define PUBLISH()
#define REGISTER_KERNEL(name) static const ::sim::Registration registration_of_##name(#name, name);

// A sum that is not fused with products: to the compiler its terms come out of nowhere.
inline float __fadd_rn(float x, float y) {
    asm("" : "+x"(x), "+x"(y));
    return x + y;
}

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};

// Blocks run one after another, and a block's threads by turns: there is nothing to order.
inline void __threadfence() {}
inline int atomicAdd(int32_t* address, int32_t added) {
    const int32_t before = *address;
    *address = before + added;
    return before;
}

inline double __hiloint2double(int high, int low) {
    const uint64_t bits = uint64_t(uint32_t(high)) << 32 | uint32_t(low);
    double value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

inline float cospif(float x) { return float(std::cos(M_PI * x)); }
inline void sincospif(float x, float* sine, float* cosine) {
    *sine = float(std::sin(M_PI * x));
    *cosine = float(std::cos(M_PI * x));
}
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};

using std::max;
using std::min;
inline int max(int a, int b) { return a > b ? a : b; }
inline int min(int a, int b) { return a < b ? a : b; }

// Barriers and warp collectives know their call site, so that a divergent one can be named.
#define SIM_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(SIM_SITE) { ::sim::barrier(0, {file, line}); }
inline int __syncthreads_and(int predicate, SIM_SITE) { return ::sim::barrier(!predicate, {file, line}) == 0; }
inline int __syncthreads_or(int predicate, SIM_SITE) { return ::sim::barrier(predicate != 0, {file, line}) != 0; }
inline int __syncthreads_count(int predicate, SIM_SITE) { return ::sim::barrier(predicate != 0, {file, line}); }

namespace sim {
template <class T>
T shuffle(unsigned mask, T value, int source_lane, Site site) {
    static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    bits = exchange(mask, bits, source_lane, site);
    __builtin_memcpy(&value, &bits, sizeof(T));
    return value;
}
}  // namespace sim

inline int __any_sync(unsigned mask, int predicate, SIM_SITE) {
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        predicate |= ::sim::shuffle(mask, predicate, ::sim::lane() ^ lanes, {file, line});
    }
    return predicate;
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFF, SIM_SITE) { ::sim::exchange(mask, 0, ::sim::lane(), {file, line}); }
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, SIM_SITE) {
    return ::sim::shuffle(mask, value, (::sim::lane() & -width) | (source & (width - 1)), {file, line});
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, SIM_SITE) {
    const int own = ::sim::lane(), source = own ^ lanes;
    return ::sim::shuffle(mask, value, (source & -width) == (own & -width) ? source : own, {file, line});
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, int lanes, int width = 32, SIM_SITE) {
    const int own = ::sim::lane(), source = own - lanes;
    return ::sim::shuffle(mask, value, (source & -width) == (own & -width) ? source : own, {file, line});
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int lanes, int width = 32, SIM_SITE) {
    const int own = ::sim::lane(), source = own + lanes;
    return ::sim::shuffle(mask, value, (source & -width) == (own & -width) ? source : own, {file, line});
}
