// SPDX-License-Identifier: Apache-2.0
// Matrix products on the tensor cores, in strided batches, row-major, with what follows them in a layer:
//
//   C[m, n] = activation(alpha op(A)[m, k] op(B)[k, n] + beta C + bias[n]) + added[m, n]
//
// A block computes one tile of C. Slices of op(A) and op(B), 64 bytes deep in k, go through a ring of STAGES in shared
// memory that asynchronous copies keep filled. Where C has too few tiles to fill a device, k is split as well: each split
// leaves its sum in `partial`, and a second kernel adds them up in order. Every sum has one order: equal bits on every run.
//
// Floats are taken as sums of two TF32 numbers, three products of four (fragments.cuh), or as one, or as one of bf16. Tensor cores
// cut the sum off at each addition rather than round it, so three-product sums run over one slice only, and the CUDA
// cores add them up, rounding: errors are those of float32 arithmetic, also for a large k.
//
// Infinity splits into infinity and NaN, and what is larger than 2^128 - 2^116 rounds to infinity. So a sum that
// is not finite is taken again in plain float arithmetic, whose infinities and NaN are the right ones.
#pragma once
#include "gemm_operand.cuh"
#include "params.h"

// Rows and columns of C per block and per warp. CudaGemm.java chooses.
//
//                            m    n        m   n    threads  shared    what for
#define FOR_EACH_GEMM_TILE(KERNEL)                                                                   \
    KERNEL(large,            128, 128,     64, 32)  /* 256    80 KB    all that is large           */ \
    KERNEL(medium,            64,  64,     32, 32)  /* 128    40 KB    too little for large tiles  */ \
    KERNEL(tall,             128,  16,     32, 16)  /* 128    46 KB    narrow layers, many rows    */ \
    KERNEL(wide,              16, 128,     16, 32)  /* 128    46 KB    few rows                    */

// Tile rows that are walked through before the next tile column: what blocks that run together read stays in L2.
constexpr unsigned GEMM_GROUP = 8;

struct GemmEpilogue {
    // Same order as org.fovea.backend.math.Activation.
    enum Activation { NONE, TANH, RELU, SIGMOID };

    static __device__ float activate(int activation, float x) {
        switch (activation) {
            case TANH: return tanhf(x);
            case RELU: return x < 0 ? 0 : x;  // keeps NaN
            case SIGMOID: return 1 / (1 + expf(-x));
            default: return x;
        }
    }

    // Elements that are moved as one.
    template <class T, int COUNT>
    struct alignas(COUNT * sizeof(T)) Pack {
        T at[COUNT];
    };

    template <class T, int COUNT>
    static __device__ const Pack<T, COUNT>& pack(const T* address) {
        return *reinterpret_cast<const Pack<T, COUNT>*>(address);
    }

    template <class T, int COUNT>
    static __device__ Pack<T, COUNT>& pack(T* address) {
        return *reinterpret_cast<Pack<T, COUNT>*>(address);
    }

    // C[row, column...] from its sums
    template <class T, int COUNT>
    static __device__ void write(const GemmParams& p, int64_t product, int row, int column, const Pack<float, COUNT>& sums) {
        T* const c = static_cast<T*>(p.c) + product * p.batch_stride_c + row * p.row_stride_c + column;
        Pack<float, COUNT> y;
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            y.at[i] = p.alpha * sums.at[i];
        }
        if (p.beta != 0) {
            const Pack<T, COUNT> old = pack<T, COUNT>(c);
#pragma unroll
            for (int i = 0; i < COUNT; i++) {
                y.at[i] = fmaf(p.beta, to_float(old.at[i]), y.at[i]);
            }
        }
        if (p.bias) {
#pragma unroll
            for (int i = 0; i < COUNT; i++) {
                y.at[i] += to_float(static_cast<const T*>(p.bias)[column + i]);
            }
        }
        Pack<float, COUNT> added{};
        if (p.added) {
            const int64_t at = product * p.batch_stride_c + row * p.row_stride_c + column;
            const Pack<T, COUNT> stored = pack<T, COUNT>(static_cast<const T*>(p.added) + at);
#pragma unroll
            for (int i = 0; i < COUNT; i++) {
                added.at[i] = to_float(stored.at[i]);
            }
        }
        Pack<T, COUNT> result;
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const float x = activate(p.activation, y.at[i]) + added.at[i];
            if constexpr (std::is_same_v<T, float>) {
                result.at[i] = x;
            } else {
                result.at[i].bits = uint16_t(Fragments<T>::pack(x, 0));
            }
        }
        pack<T, COUNT>(c) = result;
    }
};

template <class T, int TILE_M, int TILE_N, int WARP_M, int WARP_N>
struct GemmTile {
    static constexpr int ROWS = TILE_M, COLUMNS = TILE_N;  // of C
    static constexpr int STAGES = 4;
    static constexpr int WARPS_N = TILE_N / WARP_N;
    static constexpr int THREADS = 32 * (TILE_M / WARP_M) * WARPS_N;
    // That a multiprocessor should have registers for. Left to itself, ptxas spills some to make room for more blocks.
    static constexpr int BLOCKS = sizeof(T) == 2 && THREADS <= 128 ? 2 : 1;
    static constexpr int M = WARP_M / 16, N = WARP_N / 8;  // accumulators of 16 x 8 per warp
    static constexpr int STEP = Fragments<T>::DEPTH;       // of one tensor-core product
    static constexpr int SUM_PITCH = TILE_N + 8;           // a warp writes its accumulators to different banks
    using A = GemmOperand<T, TILE_M, THREADS>;
    using B = GemmOperand<T, TILE_N, THREADS>;

    const int row0, column0;    // of this warp in the tile
    float sum[M][N][4] = {};

    __device__ GemmTile()
        : row0(int(threadIdx.x) / 32 / WARPS_N * WARP_M), column0(int(threadIdx.x) / 32 % WARPS_N * WARP_N) {}

    // S += the product of two slices.
    template <bool TF32>
    __device__ void multiply(float (&s)[M][N][4], const A& a, const B& b, const T* a_smem, const T* b_smem) const {
#pragma unroll
        for (int depth = 0; depth < A::DEPTH; depth += STEP) {
            uint32_t a_regs[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) {
                a.load_a(a_regs[m], a_smem, row0 + 16 * m, depth);
            }
            uint32_t a_low[M][4];
            split<TF32>(a_regs, a_low);
#pragma unroll
            for (int n = 0; n < N / 2; n++) {
                uint32_t b_regs[1][4], b_low[1][4];
                b.load_b(b_regs[0], b_smem, column0 + 16 * n, depth);
                split<TF32>(b_regs, b_low);
                if constexpr (sizeof(T) == 4 && !TF32) {  // small products first
                    multiply_fragments(s, n, a_low, b_regs[0]);
                    multiply_fragments(s, n, a_regs, b_low[0]);
                }
                multiply_fragments(s, n, a_regs, b_regs[0]);
            }
        }
    }

    // The same of floats rounded to bf16.
    __device__ void multiply_rounded(const A& a, const B& b, const T* a_smem, const T* b_smem) {
#pragma unroll
        for (int depth = 0; depth < A::DEPTH; depth += 2 * STEP) {
            uint32_t a_regs[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) {
                uint32_t first[4], second[4];
                a.load_a(first, a_smem, row0 + 16 * m, depth);
                a.load_a(second, a_smem, row0 + 16 * m, depth + STEP);
                round_a(a_regs[m], first, second);
            }
#pragma unroll
            for (int n = 0; n < N / 2; n++) {
                uint32_t first[4], second[4];
                b.load_b(first, b_smem, column0 + 16 * n, depth);
                b.load_b(second, b_smem, column0 + 16 * n, depth + STEP);
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    uint32_t b_regs[2];
                    round_b(b_regs, first[2 * half], first[2 * half + 1], second[2 * half], second[2 * half + 1]);
#pragma unroll
                    for (int m = 0; m < M; m++) {
                        mma_bf16(sum[m][2 * n + half], a_regs[m], b_regs);
                    }
                }
            }
        }
    }

    template <bool TF32, int COUNT>
    static __device__ void split(uint32_t (&x)[COUNT][4], uint32_t (&low)[COUNT][4]) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
#pragma unroll
            for (int r = 0; r < 4; r++) {
                if constexpr (sizeof(T) == 2) {
                    continue;
                } else if constexpr (TF32) {
                    x[i][r] = to_tf32(as_float(x[i][r]));
                } else {
                    Fragments<float>::split(as_float(x[i][r]), x[i][r], low[i][r]);
                }
            }
        }
    }

    // The 16 columns from 16 n on.
    static __device__ void multiply_fragments(float (&s)[M][N][4], int n, const uint32_t (&a)[M][4], const uint32_t (&b)[4]) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const uint32_t pair[2] = {b[2 * half], b[2 * half + 1]};
                if constexpr (std::is_same_v<T, float>) {
                    mma_tf32(s[m][2 * n + half], a[m], pair);
                } else if constexpr (std::is_same_v<T, Bf16>) {
                    mma_bf16(s[m][2 * n + half], a[m], pair);
                } else {
                    mma_f16(s[m][2 * n + half], a[m], pair);
                }
            }
        }
    }

    __device__ void multiply_slice(const A& a, const B& b, const T* a_smem, const T* b_smem, Precision precision) {
        if (row0 >= a.across_end || column0 >= b.across_end) {
            return;  // all of this warp's rows or columns are beyond C
        }
        if (sizeof(T) == 2 || precision == Precision::TF32) {
            multiply<true>(sum, a, b, a_smem, b_smem);
            return;
        }
        if constexpr (sizeof(T) == 4) {
            if (precision == Precision::BF16) {
                multiply_rounded(a, b, a_smem, b_smem);
                return;
            }
        }
        float slice_sum[M][N][4] = {};
        multiply<false>(slice_sum, a, b, a_smem, b_smem);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    sum[m][n][r] += slice_sum[m][n][r];
                }
            }
        }
    }

    // ring_smem: STAGES times a slice of A and a slice of B. Shows `see` each slice of B while it is there.
    template <class See>
    __device__ void accumulate(const A& a, const B& b, T* ring_smem, Precision precision, See see) {
        constexpr int STAGE = A::SLICE + B::SLICE;
        const int slices = (a.depth_end + A::DEPTH - 1) / A::DEPTH;
        const auto copy = [&](int slice) {
            if (slice < slices) {
                T* stage_smem = ring_smem + slice % STAGES * STAGE;
                a.copy(stage_smem, slice * A::DEPTH);
                b.copy(stage_smem + A::SLICE, slice * A::DEPTH);
            }
            async_commit();
        };
        for (int slice = 0; slice < STAGES - 1; slice++) {
            copy(slice);
        }
        for (int slice = 0; slice < slices; slice++) {
            async_wait<STAGES - 2>();
            __syncthreads();  // the slice is there for all, and all are done with the one before, whose place is next
            copy(slice + STAGES - 1);
            const T* stage_smem = ring_smem + slice % STAGES * STAGE;
            multiply_slice(a, b, stage_smem, stage_smem + A::SLICE, precision);
            see(stage_smem + A::SLICE);
        }
        async_wait<0>();
        __syncthreads();
    }

    // sum_smem: [TILE_M][SUM_PITCH]
    __device__ void gather_sums(float* sum_smem) const {
        const int lane = threadIdx.x % 32;
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N; n++) {
                float* at = sum_smem + (row0 + 16 * m + lane / 4) * SUM_PITCH + column0 + 8 * n + lane % 4 * 2;
                *reinterpret_cast<float2*>(at) = {sum[m][n][0], sum[m][n][1]};
                *reinterpret_cast<float2*>(at + 8 * SUM_PITCH) = {sum[m][n][2], sum[m][n][3]};
            }
        }
    }

    static __device__ float plain_sum(const A& a, const B& b, int row, int column) {
        float plain = 0;
        for (int depth = 0; depth < a.depth_end && plain == plain; depth++) {
            plain = fmaf(a.at(row, depth), b.at(column, depth), plain);
        }
        return plain;
    }

    // block: one of splits * batch * tiles, which are along grid.x, so that each may pass 65,535
    static __device__ void run(const GemmParams& p, unsigned block, float* memory_smem) {
        const unsigned tiles_m = unsigned((p.m - 1) / TILE_M + 1), tiles_n = unsigned((p.n - 1) / TILE_N + 1);
        const unsigned tile = block % (tiles_m * tiles_n);
        const int part = int(block / (tiles_m * tiles_n)), product = part % p.batch;
        const unsigned group = tile / (GEMM_GROUP * tiles_n) * GEMM_GROUP, in_group = tile % (GEMM_GROUP * tiles_n);
        const unsigned group_rows = min(GEMM_GROUP, tiles_m - group);
        const int tile_row = int(group + in_group % group_rows) * TILE_M, tile_column = int(in_group / group_rows) * TILE_N;
        const int64_t depth0 = int64_t(part / p.batch) * p.split_depth;
        const int depth = int(min(int64_t(p.split_depth), p.k - depth0));

        const A a(static_cast<const T*>(p.a) + product * p.batch_stride_a, p.row_stride_a, !p.transpose_a, tile_row, depth0,
                  p.m - tile_row, depth);
        const B b(static_cast<const T*>(p.b) + product * p.batch_stride_b, p.row_stride_b, p.transpose_b, tile_column,
                  depth0, p.n - tile_column, depth);
        GemmTile sums;
        sums.accumulate(a, b, reinterpret_cast<T*>(memory_smem), Precision(p.precision), [](const T*) {});
        sums.gather_sums(memory_smem);
        __syncthreads();
        const T* const c = static_cast<const T*>(p.c) + product * p.batch_stride_c;
        const uintptr_t added = p.added ? reinterpret_cast<uintptr_t>(p.added) + product * p.batch_stride_c * sizeof(T) : 0;
        const bool packs = (reinterpret_cast<uintptr_t>(c) | added) % (4 * sizeof(T)) == 0 && p.row_stride_c % 4 == 0 && p.n % 4 == 0;
        if (packs) {
            write_tile<4>(p, a, b, part, tile_row, tile_column, memory_smem);
        } else {
            write_tile<1>(p, a, b, part, tile_row, tile_column, memory_smem);
        }
    }

    // Writes the tile, or its part of the sums, COUNT columns at a time.
    template <int COUNT>
    static __device__ void write_tile(const GemmParams& p, const A& a, const B& b, int part, int tile_row, int tile_column,
                                      float* sum_smem) {
        for (int i = threadIdx.x * COUNT; i < TILE_M * TILE_N; i += THREADS * COUNT) {
            const int row = i / TILE_N, column = i % TILE_N;
            if (row >= a.across_end || column >= b.across_end) {
                continue;
            }
            auto sums = GemmEpilogue::pack<float, COUNT>(sum_smem + row * SUM_PITCH + column);
            if constexpr (sizeof(T) == 4) {
#pragma unroll
                for (int j = 0; j < COUNT; j++) {
                    if (!is_finite(sums.at[j])) {
                        sums.at[j] = plain_sum(a, b, row, column + j);
                    }
                }
            }
            if (p.splits > 1) {
                GemmEpilogue::pack<float, COUNT>(p.partial + (int64_t(part) * p.m + tile_row + row) * p.n + tile_column + column) = sums;
            } else {
                GemmEpilogue::write<T, COUNT>(p, part % p.batch, tile_row + row, tile_column + column, sums);
            }
        }
    }
};
