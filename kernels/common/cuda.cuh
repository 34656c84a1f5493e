// SPDX-License-Identifier: Apache-2.0
// The header that every kernel includes. One kernel source serves three compilers: nvcc, and g++ with and without sanitizers, which
// run it on the CPU (native-tests/cuda-on-cpu, force-included there). These macros are all that differs.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
// A static array in shared memory: SHARED(float, tile, [16][64]).
#define SHARED(type, name, extents) __shared__ __align__(16) type name extents
// The launch's dynamic shared memory.
#define SHARED_DYNAMIC(type, name) extern __shared__ __align__(16) type name[]
// Tells the simulator about a kernel; nvcc finds it by its extern "C" name.
#define REGISTER_KERNEL(name)
// A barrier that orders nothing, which the simulator leaves out: ptxas moves no load across it, and so needs fewer registers.
#define SCHEDULING_FENCE() __syncthreads()
#endif

// Kernels with two-dimensional tiles run LANES x LANES threads. A row of LANES threads is half a warp.
constexpr int LANES = 16;
constexpr int TILE_THREADS = LANES * LANES;

// Every i in [0, count), shared out over all threads of a launch of any size.
#define FOR_EACH_ELEMENT(i, count)                                                                  \
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < (count); i += int64_t(gridDim.x) * blockDim.x)

__device__ inline bool is_finite(float x) { return fabsf(x) <= 3.402823466e38f; }
