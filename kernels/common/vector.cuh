// SPDX-License-Identifier: Apache-2.0
// Elementwise work in runs of four elements, one 16-byte access each, where the addresses allow it.
#pragma once
#include "cuda.cuh"

// A number known at compile time, as an argument of a generic lambda: decltype(c)::VALUE.
template <int N>
struct Constant {
    static constexpr int VALUE = N;
};

// body(Constant<value>{}) for a value in [0, COUNT): a switch over code specialised for each.
template <int COUNT, class Body>
__device__ inline void with_constant(int value, Body body) {
    if constexpr (COUNT == 1) {
        body(Constant<0>{});
    } else if (value == COUNT - 1) {
        body(Constant<COUNT - 1>{});
    } else {
        with_constant<COUNT - 1>(value, body);
    }
}

template <int N>
struct Floats {
    float v[N];
};

template <int N>
__device__ inline Floats<N> load(const float* x) {
    if constexpr (N == 4) {
        const float4 f = *reinterpret_cast<const float4*>(x);
        return {{f.x, f.y, f.z, f.w}};
    } else {
        static_assert(N == 1);
        return {{*x}};
    }
}

template <int N>
__device__ inline void store(float* y, const Floats<N>& f) {
    if constexpr (N == 4) {
        *reinterpret_cast<float4*>(y) = float4{f.v[0], f.v[1], f.v[2], f.v[3]};
    } else {
        *y = f.v[0];
    }
}

template <class... T>
__device__ inline bool aligned16(const T*... pointers) {
    return ((reinterpret_cast<uintptr_t>(pointers) | ...) & 15) == 0;
}

// body(Constant<N>{}, i) for runs [i, i + N) that cover [begin, end), shared out over `threads` threads, of which this is
// number `thread`: runs of four if `vectors`, then single elements.
template <class Body>
__device__ inline void for_each_run(int64_t begin, int64_t end, bool vectors, int64_t thread, int64_t threads, Body body) {
    const int64_t runs = vectors ? (end - begin) / 4 : 0;
    for (int64_t i = thread; i < runs; i += threads) {
        body(Constant<4>{}, begin + 4 * i);
    }
    for (int64_t i = begin + 4 * runs + thread; i < end; i += threads) {
        body(Constant<1>{}, i);
    }
}

// The same for [0, count) over all threads of the launch.
template <class Body>
__device__ inline void for_each_run(int64_t count, bool vectors, Body body) {
    for_each_run(0, count, vectors, int64_t(blockIdx.x) * blockDim.x + threadIdx.x, int64_t(gridDim.x) * blockDim.x, body);
}
