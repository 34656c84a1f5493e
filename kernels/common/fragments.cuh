// SPDX-License-Identifier: Apache-2.0
// Products of matrix tiles by one warp on the tensor cores, the same for every storage type T. Tiles lie in shared memory,
// [rows][DIM] with padded rows; results and weights are accumulators in registers, 16 x 8 to a fragment of mma.cuh:
//
//   multiply_rows   S [16 M x N]   += X [16 M x DIM] Y [N x DIM]^T     scores: both operands by rows
//   multiply        O [16 M x DIM] += W [16 M x N]   Y [N x DIM]       weighted rows, weights from accumulators
//
// An accumulator of the first is the weight operand of the second without moving data between lanes. For floats that
// takes a twist: mma wants k = t and t + 4 where an accumulator has columns 2t and 2t + 1. A sum over k may run in any
// order, so the second operand is read in that order too.
//
// Floats are split into two TF32 numbers, x = high + low, and three products of four are taken. Low parts are a thousandth
// of high ones: they are raised by 2^11, so that they keep their bits where x is near the smallest floats, and what they add
// to a product has an accumulator of its own. Tensor cores cut a sum off at each addition rather than round it, so a sum
// goes over SUMMED elements of k only, and the CUDA cores add these up, rounding: errors are those of float32 arithmetic. With
// precision TF32 only the high parts are multiplied, with BF16 what is rounded to that (rounded.cuh).
//
// Infinity splits into infinity and NaN, and what is larger than 2^128 - 2^116 rounds to infinity: their products are NaN.
// product.cuh takes such sums again.
//
// A product has the same bits with its operands exchanged, which makes probabilities the same in every kernel. The products of
// 16-bit numbers and of TF32 numbers are exact, all kernels add them up in the order of k, and FIRST_LOW says whose low
// part goes ahead.
#pragma once
#include "rounded.cuh"

// Elements from one row of a tile in shared memory to the next: 16 bytes more than the row, so that the eight rows that
// are read at once lie in different banks.
template <class T, int DIM>
constexpr int TILE_PITCH = DIM + 16 / int(sizeof(T));

template <class T>
struct Fragments {  // Bf16 and F16
    static constexpr int DEPTH = 16;  // of one step over k
    struct A {
        uint32_t r[4];
    };
    struct B {
        uint32_t r[2];
    };

    static __device__ uint32_t pack(float low, float high) {
        if constexpr (std::is_same_v<T, Bf16>) {
            return pack_bf16(low, high);
        } else {
            return pack_f16(low, high);
        }
    }

    // X[row0 + 0..15][k0 + 0..15], from the address of X[row0][k0].
    template <int PITCH>
    static __device__ A load_a(const T* x_smem) {
        const int lane = threadIdx.x % 32;
        A a;
        ldmatrix(a.r, x_smem + lane % 16 * PITCH + lane / 16 * 8);
        return a;
    }

    // Two fragments, n = 0..7 and 8..15, whose k runs along the rows of Y.
    template <int PITCH>
    static __device__ void load_b_by_rows(B (&b)[2], const T* y_smem) {
        const int lane = threadIdx.x % 32;
        uint32_t r[4];
        ldmatrix(r, y_smem + (lane % 8 + lane / 16 * 8) * PITCH + lane / 8 % 2 * 8);
        b[0] = {r[0], r[1]};
        b[1] = {r[2], r[3]};
    }

    // Two fragments, n = 0..7 and 8..15 along the rows of Y, whose k runs down its columns.
    template <int PITCH>
    static __device__ void load_b_by_columns(B (&b)[2], const T* y_smem) {
        const int lane = threadIdx.x % 32;
        uint32_t r[4];
        ldmatrix_transposed(r, y_smem + lane % 16 * PITCH + lane / 16 * 8);
        b[0] = {r[0], r[1]};
        b[1] = {r[2], r[3]};
    }

    // Accumulators of DEPTH columns as the operand A of the next product.
    static __device__ A weights(const float (*w)[4]) {
        return {{pack(w[0][0], w[0][1]), pack(w[0][2], w[0][3]), pack(w[1][0], w[1][1]), pack(w[1][2], w[1][3])}};
    }

    static __device__ void mma(float (&d)[4], const A& a, const B& b) {
        if constexpr (std::is_same_v<T, Bf16>) {
            mma_bf16(d, a.r, b.r);
        } else {
            mma_f16(d, a.r, b.r);
        }
    }
};

template <>
struct Fragments<float> {
    static constexpr int DEPTH = 8;
    static constexpr int SUMMED = 2;  // steps over k
    static constexpr float RAISED = 2048;
    struct A {
        uint32_t high[4], low[4];
    };
    struct B {
        uint32_t high[2], low[2];
    };

    // x = high + low / RAISED, or, if the sum is DIRECT, high + low. The bits of low that are too many the hardware ignores.
    template <bool TF32, bool DIRECT = false>
    static __device__ void split_raised(float x, uint32_t& high, uint32_t& low) {
        if constexpr (TF32) {
            high = to_tf32(x);
        } else {
            high = (as_bits(x) + 0x1000) & 0xFFFFE000;
            low = as_bits((x - as_float(high)) * (DIRECT ? 1 : RAISED));
        }
    }

    template <int PITCH, bool TF32>
    static __device__ void load_a(A& a, const float* x_smem) {
        const int lane = threadIdx.x % 32;
        uint32_t r[4];
        ldmatrix(r, x_smem + lane % 16 * PITCH + lane / 16 * 4);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split_raised<TF32>(as_float(r[i]), a.high[i], a.low[i]);
        }
    }

    // SUMMED fragments one behind the other in k, which runs along the rows of Y.
    template <int PITCH, bool TF32>
    static __device__ void load_b_by_rows(B (&b)[SUMMED], const float* y_smem) {
        const int lane = threadIdx.x % 32;
        uint32_t r[4];
        ldmatrix(r, y_smem + lane % 8 * PITCH + lane / 8 * 4);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split_raised<TF32>(as_float(r[i]), b[i / 2].high[i % 2], b[i / 2].low[i % 2]);
        }
    }

    // The same with k down the columns of Y, in the order 0, 2, 4, 6, 1, 3, 5, 7 of weights().
    template <int PITCH, bool TF32, bool DIRECT>
    static __device__ void load_b_by_columns(B (&b)[SUMMED], const float* y_smem) {
        const int lane = threadIdx.x % 32;
        const float* y = y_smem + lane % 4 * 2 * PITCH + lane / 4;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split_raised<TF32, DIRECT>(y[(i % 2 + i / 2 * DEPTH) * PITCH], b[i / 2].high[i % 2], b[i / 2].low[i % 2]);
        }
    }

    template <bool TF32, bool DIRECT>
    static __device__ void weights(A& a, const float (*w)[4]) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split_raised<TF32, DIRECT>(w[0][i % 2 * 2 + i / 2], a.high[i], a.low[i]);
        }
    }

    // D += A B over SUMMED steps of DIRECT splits, which take no registers but those of one sum.
    static __device__ void mma_direct(float (&d)[4], const A (&a)[SUMMED], const B (&b)[SUMMED]) {
        float sum[4];
#pragma unroll
        for (int k = 0; k < SUMMED; k++) {
            k == 0 ? mma_tf32_first(sum, a[k].low, b[k].high) : mma_tf32(sum, a[k].low, b[k].high);
            mma_tf32(sum, a[k].high, b[k].low);
        }
#pragma unroll
        for (int k = 0; k < SUMMED; k++) {
            mma_tf32(sum, a[k].high, b[k].high);
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            d[i] += sum[i];
        }
    }

    // By which sums over SUMMED steps are multiplied, in turn, when they are added to others: 1, and the next float after it. What
    // tensor cores cut off is 2^-24 of a sum on average, 1.1 times that on Ampere and 0.9 on Hopper (by the models in
    // native-tests/ptx/semantics/mma.h), and every second sum gets twice that back. Else scores would be too small by as much, which
    // shows where they are large.
    static __device__ float next_raise(float raise) { return as_float(as_bits(raise) ^ 1); }

    // D += raise A B over SUMMED steps; of TF32 numbers A B, straight: what is cut off from sums is little beside their rounding.
    template <bool TF32, bool FIRST_LOW>
    static __device__ void mma(float (&d)[4], const A (&a)[SUMMED], const B (&b)[SUMMED], float raise = 1) {
        if constexpr (TF32) {
#pragma unroll
            for (int k = 0; k < SUMMED; k++) {
                mma_tf32(d, a[k].high, b[k].high);
            }
        } else {
            float sum[4];
#pragma unroll
            for (int k = 0; k < SUMMED; k++) {
                const auto& first_a = FIRST_LOW ? a[k].low : a[k].high;
                const auto& first_b = FIRST_LOW ? b[k].high : b[k].low;
                const auto& then_a = FIRST_LOW ? a[k].high : a[k].low;
                const auto& then_b = FIRST_LOW ? b[k].low : b[k].high;
                k == 0 ? mma_tf32_first(sum, first_a, first_b) : mma_tf32(sum, first_a, first_b);
                mma_tf32(sum, then_a, then_b);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                sum[i] *= 1 / RAISED;
            }
#pragma unroll
            for (int k = 0; k < SUMMED; k++) {
                mma_tf32(sum, a[k].high, b[k].high);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                d[i] = fmaf(sum[i], raise, d[i]);
            }
        }
    }
};

// The sums of floats in multiply_rows() and multiply().
template <bool TF32, bool FIRST_LOW, int DIM, int M, int N>
__device__ void multiply_float_rows(float (&s)[M][N / 8][4], const float* x_smem, const float* y_smem, int depth) {
    using F = Fragments<float>;
    constexpr int PITCH = TILE_PITCH<float, DIM>;
    float raise = 1;
#pragma unroll 1
    for (int k = 0; k < depth; k += F::SUMMED * F::DEPTH) {
        F::A a[M][F::SUMMED];
#pragma unroll
        for (int i = 0; i < M * F::SUMMED; i++) {
            const int m = i / F::SUMMED, step = i % F::SUMMED;
            F::load_a<PITCH, TF32>(a[m][step], x_smem + 16 * m * PITCH + k + step * F::DEPTH);
        }
#pragma unroll
        for (int n = 0; n < N; n += 8) {
            F::B b[F::SUMMED];
            F::load_b_by_rows<PITCH, TF32>(b, y_smem + n * PITCH + k);
#pragma unroll
            for (int m = 0; m < M; m++) {
                F::mma<TF32, FIRST_LOW>(s[m][n / 8], a[m], b, raise);
            }
        }
        if (!TF32) {
            raise = F::next_raise(raise);
        }
    }
}

template <bool TF32, int DIM, int M, int N, int FRAGMENTS>
__device__ void multiply_floats(float (&o)[M][FRAGMENTS][4], const float (&w)[M][N / 8][4], const float* y_smem) {
    using F = Fragments<float>;
    constexpr int PITCH = TILE_PITCH<float, DIM>;
    // Half of the longest rows, in kernels that have two such sums or four scores: few registers are left.
    constexpr bool DIRECT = DIM == 256 && FRAGMENTS == 16;
#pragma unroll
    for (int k = 0; k < N; k += F::SUMMED * F::DEPTH) {
        F::A a[M][F::SUMMED];
#pragma unroll
        for (int i = 0; i < M * F::SUMMED; i++) {
            const int m = i / F::SUMMED, step = i % F::SUMMED;
            F::weights<TF32, DIRECT>(a[m][step], &w[m][k / 8 + step]);
        }
#pragma unroll
        for (int d = 0; d < 8 * FRAGMENTS; d += 8) {
            F::B b[F::SUMMED];
            F::load_b_by_columns<PITCH, TF32, DIRECT>(b, y_smem + k * PITCH + d);
#pragma unroll
            for (int m = 0; m < M; m++) {
                if constexpr (DIRECT && !TF32) {
                    F::mma_direct(o[m][d / 8], a[m], b);
                } else {
                    F::mma<TF32, true>(o[m][d / 8], a[m], b);
                }
            }
            constexpr int APART = DIRECT ? 16 : DIM < 128 ? 64 : 32;
            if (d % APART == APART - 8) {
                __syncwarp();  // keeps the compiler from having too much under way at once, for which there are no registers
            }
        }
    }
}

// The same of floats rounded to bf16. What such sums lose to being cut off at each addition is little beside that.
template <int DIM, int M, int N>
__device__ void multiply_rounded_rows(float (&s)[M][N / 8][4], const float* x_smem, const float* y_smem, int depth) {
    constexpr int PITCH = TILE_PITCH<float, DIM>;
    const int lane = threadIdx.x % 32;
#pragma unroll 1
    for (int k = 0; k < depth; k += 16) {
        uint32_t a[M][4];
#pragma unroll
        for (int m = 0; m < M; m++) {
            const float* x = x_smem + (16 * m + lane % 16) * PITCH + k + lane / 16 * 4;
            uint32_t first[4], second[4];
            ldmatrix(first, x);
            ldmatrix(second, x + 8);
            round_a(a[m], first, second);
        }
#pragma unroll
        for (int n = 0; n < N; n += 8) {
            uint32_t r[4], b[2];
            ldmatrix(r, y_smem + (n + lane % 8) * PITCH + k + lane / 8 * 4);
            round_b(b, r[0], r[1], r[2], r[3]);
#pragma unroll
            for (int m = 0; m < M; m++) {
                mma_bf16(s[m][n / 8], a[m], b);
            }
        }
    }
}

template <int DIM, int M, int N, int FRAGMENTS>
__device__ void multiply_rounded(float (&o)[M][FRAGMENTS][4], const float (&w)[M][N / 8][4], const float* y_smem) {
    constexpr int PITCH = TILE_PITCH<float, DIM>;
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < N; k += 16) {
        Fragments<Bf16>::A a[M];
#pragma unroll
        for (int m = 0; m < M; m++) {
            a[m] = Fragments<Bf16>::weights(&w[m][k / 8]);
        }
#pragma unroll
        for (int d = 0; d < 8 * FRAGMENTS; d += 8) {
            const float* y = y_smem + (k + lane % 4 * 2) * PITCH + d + lane / 4;
            const uint32_t b[2] = {pack_bf16(y[0], y[PITCH]), pack_bf16(y[8 * PITCH], y[9 * PITCH])};
#pragma unroll
            for (int m = 0; m < M; m++) {
                mma_bf16(o[m][d / 8], a[m].r, b);
            }
        }
    }
}

// S += X Y^T. x_smem and y_smem are tiles [16 M][DIM] and [N][DIM]; `depth`, a multiple of 16, is how much of DIM is used.
// Y X^T with the other FIRST_LOW has the same bits.
template <class T, int DIM, int M, int N, bool FIRST_LOW = true, Precision PRECISION>
__device__ void multiply_rows(float (&s)[M][N / 8][4], const T* x_smem, const T* y_smem, int depth, Products<PRECISION>) {
    if constexpr (std::is_same_v<T, float> && PRECISION == Precision::BF16) {
        multiply_rounded_rows<DIM, M, N>(s, x_smem, y_smem, depth);
    } else if constexpr (std::is_same_v<T, float>) {
        multiply_float_rows<PRECISION == Precision::TF32, FIRST_LOW, DIM, M, N>(s, x_smem, y_smem, depth);
    } else {
        using F = Fragments<T>;
        constexpr int PITCH = TILE_PITCH<T, DIM>;
#pragma unroll 2
        for (int k = 0; k < depth; k += F::DEPTH) {
            typename F::A a[M];
#pragma unroll
            for (int m = 0; m < M; m++) {
                a[m] = F::template load_a<PITCH>(x_smem + 16 * m * PITCH + k);
            }
#pragma unroll
            for (int n = 0; n < N; n += 16) {
                typename F::B b[2];
                F::template load_b_by_rows<PITCH>(b, y_smem + n * PITCH + k);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    F::mma(s[m][n / 8], a[m], b[0]);
                    F::mma(s[m][n / 8 + 1], a[m], b[1]);
                }
            }
        }
    }
}

// O += W Y for 8 FRAGMENTS columns of Y from y_smem on, which is a tile [N][DIM].
template <class T, int DIM, int M, int N, int FRAGMENTS, Precision PRECISION>
__device__ void multiply(float (&o)[M][FRAGMENTS][4], const float (&w)[M][N / 8][4], const T* y_smem, Products<PRECISION>) {
    if constexpr (std::is_same_v<T, float> && PRECISION == Precision::BF16) {
        multiply_rounded<DIM, M, N>(o, w, y_smem);
    } else if constexpr (std::is_same_v<T, float>) {
        multiply_floats<PRECISION == Precision::TF32, DIM, M, N>(o, w, y_smem);
    } else {
        using F = Fragments<T>;
        constexpr int PITCH = TILE_PITCH<T, DIM>;
#pragma unroll
        for (int k = 0; k < N; k += F::DEPTH) {
            typename F::A a[M];
#pragma unroll
            for (int m = 0; m < M; m++) {
                a[m] = F::weights(&w[m][k / 8]);
            }
#pragma unroll
            for (int d = 0; d < 8 * FRAGMENTS; d += 16) {
                typename F::B b[2];
                F::template load_b_by_columns<PITCH>(b, y_smem + k * PITCH + d);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    F::mma(o[m][d / 8], a[m], b[0]);
                    F::mma(o[m][d / 8 + 1], a[m], b[1]);
                }
            }
        }
    }
}
