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
// Floats are split into two TF32 numbers, x = high + low, and three products of four are taken: as exact as float32
// arithmetic. With `tf32` only the high parts are multiplied.
#pragma once
#include "mma.cuh"

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

    static __device__ void mma(float (&d)[4], const A& a, const B& b, bool) {
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
    struct A {
        uint32_t high[4], low[4];
    };
    struct B {
        uint32_t high[2], low[2];
    };

    static __device__ void split(float x, uint32_t& high, uint32_t& low) {
        high = to_tf32(x);
        low = to_tf32(x - as_float(high));
    }

    template <int PITCH>
    static __device__ A load_a(const float* x_smem) {
        const int lane = threadIdx.x % 32;
        uint32_t r[4];
        ldmatrix(r, x_smem + lane % 16 * PITCH + lane / 16 * 4);
        A a;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split(as_float(r[i]), a.high[i], a.low[i]);
        }
        return a;
    }

    template <int PITCH>
    static __device__ void load_b_by_rows(B (&b)[2], const float* y_smem) {
        const int lane = threadIdx.x % 32;
        uint32_t r[4];
        ldmatrix(r, y_smem + (lane % 8 + lane / 16 * 8) * PITCH + lane / 8 % 2 * 4);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split(as_float(r[i]), b[i / 2].high[i % 2], b[i / 2].low[i % 2]);
        }
    }

    // k in the order 0, 2, 4, 6, 1, 3, 5, 7: that of weights().
    template <int PITCH>
    static __device__ void load_b_by_columns(B (&b)[2], const float* y_smem) {
        const int lane = threadIdx.x % 32;
        const float* y = y_smem + lane % 4 * 2 * PITCH + lane / 4;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split(y[i % 2 * PITCH + i / 2 * 8], b[i / 2].high[i % 2], b[i / 2].low[i % 2]);
        }
    }

    static __device__ A weights(const float (*w)[4]) {
        A a;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            split(w[0][i % 2 * 2 + i / 2], a.high[i], a.low[i]);
        }
        return a;
    }

    static __device__ void mma(float (&d)[4], const A& a, const B& b, bool tf32) {
        if (!tf32) {  // small products first
            mma_tf32(d, a.low, b.high);
            mma_tf32(d, a.high, b.low);
        }
        mma_tf32(d, a.high, b.high);
    }
};

// S += X Y^T. x_smem and y_smem are tiles [16 M][DIM] and [N][DIM]; `depth`, a multiple of 16, is how much of DIM is used.
template <class T, int DIM, int M, int N>
__device__ void multiply_rows(float (&s)[M][N / 8][4], const T* x_smem, const T* y_smem, int depth, bool tf32) {
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
                F::mma(s[m][n / 8], a[m], b[0], tf32);
                F::mma(s[m][n / 8 + 1], a[m], b[1], tf32);
            }
        }
    }
}

// O += W Y for 8 FRAGMENTS columns of Y from y_smem on, which is a tile [N][DIM].
template <class T, int DIM, int M, int N, int FRAGMENTS>
__device__ void multiply(float (&o)[M][FRAGMENTS][4], const float (&w)[M][N / 8][4], const T* y_smem, bool tf32) {
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
                F::mma(o[m][d / 8], a[m], b[0], tf32);
                F::mma(o[m][d / 8 + 1], a[m], b[1], tf32);
            }
        }
    }
}
