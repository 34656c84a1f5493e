// SPDX-License-Identifier: Apache-2.0
// All gradients of a linear layer in one launch: linear_backward.cuh says how.
#include "linear_backward.cuh"

#define LINEAR_BACKWARD_KERNEL(tile, ...)                                                           \
    extern "C" __global__ void __launch_bounds__((LinearBackward<__VA_ARGS__>::THREADS), (LinearBackward<__VA_ARGS__>::BLOCKS))          \
        linear_backward_##tile(const __grid_constant__ LinearBackwardParams p) {                     \
        SHARED_DYNAMIC(float, memory_smem);                                                          \
        LinearBackward<__VA_ARGS__>::run(p, memory_smem);                                            \
    }                                                                                                \
    REGISTER_KERNEL(linear_backward_##tile)
FOR_EACH_GEMM_TILE(LINEAR_BACKWARD_KERNEL)
