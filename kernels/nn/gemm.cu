// SPDX-License-Identifier: Apache-2.0
// Matrix products on the tensor cores, in strided batches, with what follows them in a layer: gemm_tile.cuh says how.
#include "gemm_tile.cuh"

#define GEMM_KERNEL(name, T, ...)                                                                                         \
    extern "C" __global__ void __launch_bounds__((GemmTile<T, __VA_ARGS__>::THREADS), (GemmTile<T, __VA_ARGS__>::BLOCKS)) \
        name(const __grid_constant__ GemmParams p) {                                                                      \
        SHARED_DYNAMIC(float, gemm_smem);                                                                                 \
        GemmTile<T, __VA_ARGS__>::template run<true>(p, blockIdx.x, gemm_smem);                                           \
    }                                                                                                                     \
    REGISTER_KERNEL(name)
#define GEMM_KERNELS(tile, ...)                      \
    GEMM_KERNEL(gemm_##tile##_f32, float, __VA_ARGS__) \
    GEMM_KERNEL(gemm_##tile##_bf16, Bf16, __VA_ARGS__)
FOR_EACH_GEMM_TILE(GEMM_KERNELS)

// Adds up the splits of k. A block takes LANES elements of C; each of its LANES rows of threads adds up every LANES-th
// split, and the first adds up the rows.
template <class T>
__device__ void gemm_add_splits(const GemmParams& p) {
    SHARED(float, sum_smem, [LANES][LANES]);
    const int ty = threadIdx.x / LANES, tx = threadIdx.x % LANES;
    const int64_t count = int64_t(p.batch) * p.m * p.n;
    const int64_t i = int64_t(blockIdx.x) * LANES + tx;
    float sum = 0;
    if (i < count) {
#pragma unroll 4
        for (int split = ty; split < p.splits; split += LANES) {
            sum += p.partial[split * count + i];
        }
    }
    sum_smem[ty][tx] = sum;
    __syncthreads();
    if (ty == 0 && i < count) {
#pragma unroll
        for (int row = 1; row < LANES; row++) {
            sum += sum_smem[row][tx];
        }
        const int64_t product = i / p.n / p.m;
        GemmEpilogue::write<T, 1>(p, product, int(i / p.n % p.m), int(i % p.n), {sum});
    }
}

#define GEMM_SPLITS_KERNEL(name, T)                                                                                   \
    extern "C" __global__ void __launch_bounds__(TILE_THREADS) name(const __grid_constant__ GemmParams p) {           \
        gemm_add_splits<T>(p);                                                                                        \
    }                                                                                                                 \
    REGISTER_KERNEL(name)
GEMM_SPLITS_KERNEL(gemm_add_splits_f32, float)
GEMM_SPLITS_KERNEL(gemm_add_splits_bf16, Bf16)
