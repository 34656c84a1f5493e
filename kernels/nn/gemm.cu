// Matrix products in float32: C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C, row-major, in strided batches.
//
// A block computes one tile of C with 16 x 16 threads, each holding a 4 x 4 patch in registers. Slices of A and B pass
// through shared memory; the next slice is fetched into registers while the current one is multiplied.
#include "../common/cuda.cuh"
#include "params.h"

constexpr int GEMM_TILE = 64;                                        // rows and columns of C per block
constexpr int GEMM_DEPTH = 16;                                       // of k per slice
constexpr int GEMM_PATCH = GEMM_TILE / LANES;                        // rows and columns of C per thread
constexpr int GEMM_FETCH = GEMM_TILE * GEMM_DEPTH / TILE_THREADS;    // elements of a slice per thread
constexpr int GEMM_PITCH = GEMM_TILE + 4;                            // keeps float4 alignment, spreads the banks

// A slice [GEMM_DEPTH][GEMM_TILE] of a matrix whose element (depth, across) is at depth * stride_depth + across *
// stride_across, one of which is 1. Neighbouring threads take neighbouring addresses.
struct SliceLoader {
    const float* source;
    int64_t stride_depth;
    int64_t stride_across;
    int across_end;
    int depth_end;

    __device__ int depth_of(int i) const {
        const int t = threadIdx.x + i * TILE_THREADS;
        return stride_depth == 1 ? t % GEMM_DEPTH : t / GEMM_TILE;
    }
    __device__ int across_of(int i) const {
        const int t = threadIdx.x + i * TILE_THREADS;
        return stride_depth == 1 ? t / GEMM_DEPTH : t % GEMM_TILE;
    }
    __device__ void fetch(int depth0, int across0, float (&regs)[GEMM_FETCH]) const {
#pragma unroll
        for (int i = 0; i < GEMM_FETCH; i++) {
            const int depth = depth0 + depth_of(i), across = across0 + across_of(i);
            regs[i] = depth < depth_end && across < across_end ? source[depth * stride_depth + across * stride_across] : 0;
        }
    }
    __device__ void store(const float (&regs)[GEMM_FETCH], float (&slice)[GEMM_DEPTH][GEMM_PITCH]) const {
#pragma unroll
        for (int i = 0; i < GEMM_FETCH; i++) {
            slice[depth_of(i)][across_of(i)] = regs[i];
        }
    }
};

// grid.x = batch * tiles of m * tiles of n, so that a batch may be larger than 65,535
extern "C" __global__ void __launch_bounds__(TILE_THREADS) gemm(const __grid_constant__ GemmParams p) {
    SHARED(float, a_smem, [GEMM_DEPTH][GEMM_PITCH]);
    SHARED(float, b_smem, [GEMM_DEPTH][GEMM_PITCH]);

    const int tiles_n = (p.n + GEMM_TILE - 1) / GEMM_TILE;
    const int tiles_m = (p.m + GEMM_TILE - 1) / GEMM_TILE;
    const int64_t product = blockIdx.x / (tiles_n * tiles_m);
    const int row0 = blockIdx.x / tiles_n % tiles_m * GEMM_TILE;
    const int column0 = blockIdx.x % tiles_n * GEMM_TILE;
    const int ty = threadIdx.x / LANES, tx = threadIdx.x % LANES;

    const SliceLoader a{p.a + product * p.batch_stride_a, p.transpose_a ? p.row_stride_a : 1,
                        p.transpose_a ? 1 : p.row_stride_a, p.m, p.k};
    const SliceLoader b{p.b + product * p.batch_stride_b, p.transpose_b ? 1 : p.row_stride_b,
                        p.transpose_b ? p.row_stride_b : 1, p.n, p.k};
    float a_next[GEMM_FETCH], b_next[GEMM_FETCH];
    float acc[GEMM_PATCH][GEMM_PATCH] = {};

    a.fetch(0, row0, a_next);
    b.fetch(0, column0, b_next);
    for (int depth0 = 0; depth0 < p.k; depth0 += GEMM_DEPTH) {
        a.store(a_next, a_smem);
        b.store(b_next, b_smem);
        __syncthreads();
        a.fetch(depth0 + GEMM_DEPTH, row0, a_next);
        b.fetch(depth0 + GEMM_DEPTH, column0, b_next);
#pragma unroll
        for (int depth = 0; depth < GEMM_DEPTH; depth++) {
            const float4 av = *reinterpret_cast<const float4*>(&a_smem[depth][ty * GEMM_PATCH]);
            const float4 bv = *reinterpret_cast<const float4*>(&b_smem[depth][tx * GEMM_PATCH]);
            const float a_regs[GEMM_PATCH] = {av.x, av.y, av.z, av.w}, b_regs[GEMM_PATCH] = {bv.x, bv.y, bv.z, bv.w};
#pragma unroll
            for (int i = 0; i < GEMM_PATCH; i++) {
#pragma unroll
                for (int j = 0; j < GEMM_PATCH; j++) {
                    acc[i][j] = fmaf(a_regs[i], b_regs[j], acc[i][j]);
                }
            }
        }
        __syncthreads();
    }

    float* c = p.c + product * p.batch_stride_c;
#pragma unroll
    for (int i = 0; i < GEMM_PATCH; i++) {
        const int row = row0 + ty * GEMM_PATCH + i;
#pragma unroll
        for (int j = 0; j < GEMM_PATCH; j++) {
            const int column = column0 + tx * GEMM_PATCH + j;
            if (row < p.m && column < p.n) {
                float* target = &c[int64_t(row) * p.row_stride_c + column];
                *target = p.beta == 0 ? p.alpha * acc[i][j] : fmaf(p.alpha, acc[i][j], p.beta * *target);
            }
        }
    }
}
REGISTER_KERNEL(gemm)
