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

// T: float or Bf16.
template <class T, int TILE_M, int TILE_N, int WARP_M, int WARP_N>
struct GemmTile {
    static constexpr int ROWS = TILE_M, COLUMNS = TILE_N;  // of C
    static constexpr int STAGES = 4;
    static constexpr int WARPS_N = TILE_N / WARP_N;
    static constexpr int THREADS = 32 * (TILE_M / WARP_M) * WARPS_N;
    // That a multiprocessor should have registers for. Shared memory of an A100 has room for 4 square tiles, or 3 others; floats would
    // spill for the former.
    static constexpr int BLOCKS = THREADS > 128 ? 1 : sizeof(T) == 4 ? 2 : TILE_M == TILE_N ? 4 : 3;
    static constexpr int M = WARP_M / 16, N = WARP_N / 8;  // accumulators of 16 x 8 per warp
    static constexpr int STEP = Fragments<T>::DEPTH;       // of one tensor-core product
    static constexpr int SUM_PITCH = TILE_N + 8;           // a warp writes its accumulators to different banks
    using Matrix = GemmMatrix<T>;

    const int row0, column0;    // of this warp in the tile
    float sum[M][N][4] = {};

    __device__ GemmTile()
        : row0(int(threadIdx.x) / 32 / WARPS_N * WARP_M), column0(int(threadIdx.x) / 32 % WARPS_N * WARP_N) {}

    // sum += the product of two slices, from this lane's addresses in them.
    template <Precision PRECISION, class A, class B>
    __device__ void multiply(const T* a_smem, const T* b_smem) {
        if constexpr (sizeof(T) == 2 || PRECISION == Precision::TF32) {
#pragma unroll
            for (int depth = 0; depth < A::DEPTH; depth += STEP) {
                uint32_t a[M][4];
#pragma unroll
                for (int m = 0; m < M; m++) {
                    A::load_a(a[m], a_smem, 16 * m, depth);
                    to_factors(a[m]);
                }
#pragma unroll
                for (int n = 0; n < N / 2; n++) {
                    uint32_t b[4];
                    B::load_b(b, b_smem, 16 * n, depth);
                    to_factors(b);
                    multiply_fragments(sum, n, a, b);
                }
            }
        } else if constexpr (PRECISION == Precision::BF16) {
            multiply_rounded<A, B>(a_smem, b_smem);
        } else {
            multiply_split<A, B>(a_smem, b_smem);
        }
    }

    // By three products. Each sum over a slice is one of its own.
    template <class A, class B>
    __device__ void multiply_split(const T* a_smem, const T* b_smem) {
        float s[M][N][4];
#pragma unroll
        for (int depth = 0; depth < A::DEPTH; depth += STEP) {
            __syncwarp();  // keeps the compiler from loading for both steps at once, for which there are no registers
            uint32_t a[M][4], a_low[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) {
                A::load_a(a[m], a_smem, 16 * m, depth);
                split(a[m], a_low[m]);
            }
#pragma unroll
            for (int n = 0; n < N / 2; n++) {
                uint32_t b[4], b_low[4];
                B::load_b(b, b_smem, 16 * n, depth);
                split(b, b_low);
                if (depth == 0) {  // small products first
                    multiply_fragments<true>(s, n, a_low, b);
                } else {
                    multiply_fragments(s, n, a_low, b);
                }
                multiply_fragments(s, n, a, b_low);
                multiply_fragments(s, n, a, b);
            }
        }
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    sum[m][n][r] += s[m][n][r];
                }
            }
        }
    }

    // Of floats rounded to bf16.
    template <class A, class B>
    __device__ void multiply_rounded(const T* a_smem, const T* b_smem) {
#pragma unroll
        for (int depth = 0; depth < A::DEPTH; depth += 2 * STEP) {
            uint32_t a[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) {
                uint32_t first[4], second[4];
                A::load_a(first, a_smem, 16 * m, depth);
                A::load_a(second, a_smem, 16 * m, depth + STEP);
                round_a(a[m], first, second);
            }
#pragma unroll
            for (int n = 0; n < N / 2; n++) {
                uint32_t first[4], second[4];
                B::load_b(first, b_smem, 16 * n, depth);
                B::load_b(second, b_smem, 16 * n, depth + STEP);
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    uint32_t b[2];
                    round_b(b, first[2 * half], first[2 * half + 1], second[2 * half], second[2 * half + 1]);
#pragma unroll
                    for (int m = 0; m < M; m++) {
                        mma_bf16(sum[m][2 * n + half], a[m], b);
                    }
                }
            }
        }
    }

    static __device__ void to_factors(uint32_t (&x)[4]) {
        if constexpr (sizeof(T) == 4) {
#pragma unroll
            for (int r = 0; r < 4; r++) {
                x[r] = to_tf32(as_float(x[r]));
            }
        }
    }

    static __device__ void split(uint32_t (&x)[4], uint32_t (&low)[4]) {
#pragma unroll
        for (int r = 0; r < 4; r++) {
            Fragments<float>::split_raised<false, true>(as_float(x[r]), x[r], low[r]);
        }
    }

    // The 16 columns from 16 n on. FIRST: s starts from 0.
    template <bool FIRST = false>
    static __device__ void multiply_fragments(float (&s)[M][N][4], int n, const uint32_t (&a)[M][4], const uint32_t (&b)[4]) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const uint32_t pair[2] = {b[2 * half], b[2 * half + 1]};
                if constexpr (FIRST) {
                    mma_tf32_first(s[m][2 * n + half], a[m], pair);
                } else if constexpr (std::is_same_v<T, float>) {
                    mma_tf32(s[m][2 * n + half], a[m], pair);
                } else {
                    mma_bf16(s[m][2 * n + half], a[m], pair);
                }
            }
        }
    }

    // sum += A B. ring_smem: STAGES times a slice of A and a slice of B. Shows `see` each slice of B while it is there.
    template <bool A_DEPTH_CONTIGUOUS, bool B_DEPTH_CONTIGUOUS, class See>
    __device__ void accumulate(const Matrix& a, const Matrix& b, T* ring_smem, Precision precision, See see) {
        constexpr bool A_ROWS = A_DEPTH_CONTIGUOUS, B_ROWS = B_DEPTH_CONTIGUOUS;
        if (sizeof(T) == 2 || precision == Precision::TF32) {
            accumulate_as<Precision::TF32, A_ROWS, B_ROWS>(a, b, ring_smem, see);
            return;
        }
        if constexpr (sizeof(T) == 4) {
            if (precision == Precision::BF16) {
                accumulate_as<Precision::BF16, A_ROWS, B_ROWS>(a, b, ring_smem, see);
            } else {
                accumulate_as<Precision::FLOAT32, A_ROWS, B_ROWS>(a, b, ring_smem, see);
            }
        }
    }

    template <Precision PRECISION, bool A_DEPTH_CONTIGUOUS, bool B_DEPTH_CONTIGUOUS, class See>
    __device__ void accumulate_as(const Matrix& a, const Matrix& b, T* ring_smem, See see) {
        using A = GemmSlice<T, TILE_M, A_DEPTH_CONTIGUOUS>;
        using B = GemmSlice<T, TILE_N, B_DEPTH_CONTIGUOUS>;
        constexpr int STAGE = A::SIZE + B::SIZE;
        const int slices = (a.depth_end + A::DEPTH - 1) / A::DEPTH;
        if (slices <= 0) {
            return;
        }
        GemmCopies<T, TILE_M, THREADS, A_DEPTH_CONTIGUOUS> of_a(a);
        GemmCopies<T, TILE_N, THREADS, B_DEPTH_CONTIGUOUS> of_b(b);
        const auto copy = [&](int slice) {
            if (slice < slices) {
                T* stage_smem = ring_smem + slice % STAGES * STAGE;
                of_a.next(stage_smem);
                of_b.next(stage_smem + A::SIZE);
            }
            async_commit();
        };
        for (int slice = 0; slice < STAGES - 1; slice++) {
            copy(slice);
        }
        const bool idle = row0 >= a.across_end || column0 >= b.across_end;  // all of this warp's rows or columns are beyond C
        const T* const a_smem = A::lane_of_a(ring_smem, row0);
        const T* const b_smem = B::lane_of_b(ring_smem + A::SIZE, column0);
#pragma unroll 1
        for (int slice = 0; slice < slices; slice++) {
            async_wait<STAGES - 2>();
            __syncthreads();  // the slice is there for all, and all are done with the one before, whose place is next
            copy(slice + STAGES - 1);
            const int at = slice % STAGES * STAGE;
            if (!idle) {
                multiply<PRECISION, A, B>(a_smem + at, b_smem + at);
            }
            see(ring_smem + at + A::SIZE);
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

    static __device__ float plain_sum(const Matrix& a, const Matrix& b, int row, int column) {
        float plain = 0;
        for (int depth = 0; depth < a.depth_end && plain == plain; depth++) {
            plain = fmaf(a.at(row, depth), b.at(column, depth), plain);
        }
        return plain;
    }

    // block: one of splits * batch * tiles, which are along grid.x, so that each may pass 65,535. TRANSPOSES: whether p may ask for it
    template <bool TRANSPOSES>
    static __device__ void run(const GemmParams& p, unsigned block, float* memory_smem) {
        const unsigned tiles_m = unsigned((p.m - 1) / TILE_M + 1), tiles_n = unsigned((p.n - 1) / TILE_N + 1);
        const unsigned tile = block % (tiles_m * tiles_n);
        const int part = int(block / (tiles_m * tiles_n)), product = part % p.batch;
        const unsigned group = tile / (GEMM_GROUP * tiles_n) * GEMM_GROUP, in_group = tile % (GEMM_GROUP * tiles_n);
        const unsigned group_rows = min(GEMM_GROUP, tiles_m - group);
        const int tile_row = int(group + in_group % group_rows) * TILE_M, tile_column = int(in_group / group_rows) * TILE_N;
        const int64_t depth0 = int64_t(part / p.batch) * p.split_depth;
        const int depth = int(min(int64_t(p.split_depth), p.k - depth0));

        const Matrix a(static_cast<const T*>(p.a) + product * p.batch_stride_a, p.row_stride_a, !p.transpose_a, tile_row, depth0,
                       p.m - tile_row, depth);
        const Matrix b(static_cast<const T*>(p.b) + product * p.batch_stride_b, p.row_stride_b, p.transpose_b, tile_column, depth0,
                       p.n - tile_column, depth);
        GemmTile sums;
        T* const ring_smem = reinterpret_cast<T*>(memory_smem);
        const auto see = [](const T*) {};
        if (TRANSPOSES && p.transpose_a) {
            if (p.transpose_b) {
                sums.template accumulate<false, true>(a, b, ring_smem, Precision(p.precision), see);
            } else {
                sums.template accumulate<false, false>(a, b, ring_smem, Precision(p.precision), see);
            }
        } else if (TRANSPOSES && p.transpose_b) {
            sums.template accumulate<true, true>(a, b, ring_smem, Precision(p.precision), see);
        } else {
            sums.template accumulate<true, false>(a, b, ring_smem, Precision(p.precision), see);
        }
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
    static __device__ void write_tile(const GemmParams& p, const Matrix& a, const Matrix& b, int part, int tile_row, int tile_column,
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
