// SPDX-License-Identifier: Apache-2.0
// The common part of the attention kernels between the loads and the formula: a warp's rows, and products that keep to themselves
// what is hidden.
//
// Every kernel has stationary rows, 16 M to a warp, and walks over moving rows, N to a tile. A score is an accumulator
// fragment s[m][n][r] of mma.cuh: stationary row lane_row(m, r / 2), moving row lane_column(n, r % 2).
#pragma once
#include "mask.cuh"
#include "tile.cuh"

// A problem in whose products floats have this precision; no matter where they are of 16 bits.
template <Precision PRECISION>
struct AttentionProblem : AttentionParams {
    static __device__ constexpr Products<PRECISION> products() { return {}; }
};

// KERNELS(name, precision) of what floats have instances for, but for the longest rows, which take three products always.
#define FOR_EACH_PRECISION(KERNELS) KERNELS(f32, FLOAT32) KERNELS(f32_by_tf32, TF32) KERNELS(f32_by_bf16, BF16)

// Elements that the products multiply of a row of `dim`.
__device__ inline int depth(int dim) { return (dim + 15) / 16 * 16; }

// Sum or maximum over the four lanes that share a row.
__device__ inline float row_sum(float x) {
    x += __shfl_xor_sync(0xFFFFFFFF, x, 1);
    return x + __shfl_xor_sync(0xFFFFFFFF, x, 2);
}
__device__ inline float row_maximum(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFF, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xFFFFFFFF, x, 2));
}
__device__ inline int row_maximum(int x) {
    x = max(x, __shfl_xor_sync(0xFFFFFFFF, x, 1));
    return max(x, __shfl_xor_sync(0xFFFFFFFF, x, 2));
}

constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LN_2 = 0.6931471805599453f;
constexpr float SMALLEST = 1.1754943508222875e-38f;
constexpr float LARGEST = 3.4028234663852886e38f;

// scale log2(e), not quite 0 and not infinite, so that differences keep their sign and -inf stays what it is.
__device__ inline float exponent_scale(const AttentionParams& p) {
    const float magnitude = fminf(fmaxf(fabsf(p.scale) * LOG2_E, SMALLEST), LARGEST);
    return p.scale < 0 ? -magnitude : magnitude;
}

// Differences of scores to their maximum are taken before they are scaled: they are exact where probabilities are large,
// whatever the scores. Every kernel has the same scores, bit for bit (fragments.cuh), so a row's probabilities add up to 1.
// `normalizer` is that of AttentionParams; for 16-bit types, which round probabilities, it costs no operation.
template <class T>
__device__ float probability(float product, float maximum, float scale, float normalizer) {
    if constexpr (std::is_same_v<T, float>) {
        return power_of_two((product - maximum) * scale) * normalizer;
    } else {
        return power_of_two(fmaf(product - maximum, scale, -normalizer));
    }
}
template <class T>
constexpr float HIDING_NORMALIZER = std::is_same_v<T, float> ? 0 : INFINITY;

// The inputs of probability() for the rows of this lane; those that do not exist have none.
template <class T, int M>
struct RowState {
    float maximum[M][2], normalizer[M][2];

    __device__ RowState(const AttentionParams& p, int head_index, int row0) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = row0 + lane_row(m, half);
                const bool there = row < p.queries;
                const int64_t index = int64_t(head_index) * p.queries + row;
                maximum[m][half] = there ? p.maximum[index] : 0;
                normalizer[m][half] = there ? p.normalizer[index] : HIDING_NORMALIZER<T>;
            }
        }
    }
};

// A probability of 0 stands for a hidden pair. That of a visible one may be too small for a float: then it is this.
__device__ inline float visible_probability(float x) { return x == 0 ? SMALLEST : x; }

// O += W Y as multiply() does, but a weight of 0 hides even a NaN or an infinity of Y. Slow.
template <class T, int DIM, int M, int N, int FRAGMENTS>
__device__ void multiply_seen(float (&o)[M][FRAGMENTS][4], const float (&w)[M][N / 8][4], const T* y_smem) {
    const int lane = threadIdx.x % 32;
#pragma unroll 1
    for (int row = 0; row < N; row++) {
        const T* y = y_smem + row * TILE_PITCH<T, DIM>;
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float weight = 0;
#pragma unroll
                for (int n = 0; n < N / 8; n++) {
                    const float own = row % 2 ? w[m][n][2 * half + 1] : w[m][n][2 * half];
                    weight = row / 8 == n ? own : weight;
                }
                weight = __shfl_sync(0xFFFFFFFF, weight, lane / 4 * 4 + row % 8 / 2);
                if (weight != 0) {
#pragma unroll
                    for (int f = 0; f < FRAGMENTS; f++) {
                        o[m][f][2 * half] = fmaf(weight, to_float(y[lane_column(f, 0)]), o[m][f][2 * half]);
                        o[m][f][2 * half + 1] = fmaf(weight, to_float(y[lane_column(f, 1)]), o[m][f][2 * half + 1]);
                    }
                }
            }
        }
    }
}

// O += W Y. `guarded` says that some of Y is not finite and some pairs are hidden.
template <class T, int DIM, int M, int N, int FRAGMENTS, class Products>
__device__ void accumulate(float (&o)[M][FRAGMENTS][4], const float (&w)[M][N / 8][4], const T* y_smem, bool guarded,
                           Products products) {
    if (guarded) {
        multiply_seen<T, DIM, M, N>(o, w, y_smem);
    } else {
        multiply<T, DIM, M, N>(o, w, y_smem, products);
    }
}

// Infinities make NaN of a product of floats that float arithmetic has a result for (fragments.cuh). A kernel whose results
// have a NaN goes over its tiles again, carefully: with guarded sums, and NaN among the products taken again by repair().
template <class T>
constexpr bool CAN_BE_CAREFUL = std::is_same_v<T, float>;
// The longest rows leave no registers for it where keys are stationary: a NaN from an infinity stays one there.
template <class T, int DIM>
constexpr bool KEYS_CAN_BE_CAREFUL = CAN_BE_CAREFUL<T> && DIM < 256;
// Of 16-bit types there is nothing to repair, but queries that do not exist have a score of NaN with a key of infinity.
template <class T, int DIM>
constexpr bool KEYS_GO_TWICE = !CAN_BE_CAREFUL<T> || KEYS_CAN_BE_CAREFUL<T, DIM>;

template <int M, int FRAGMENTS>
__device__ bool has_nan(const float (&x)[M][FRAGMENTS][4]) {
    bool found = false;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                found |= x[m][f][i] != x[m][f][i];
            }
        }
    }
    return found;
}

template <int M, int FRAGMENTS>
__device__ bool all_finite(const float (&x)[M][FRAGMENTS][4]) {
    bool finite = true;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                finite &= is_finite(x[m][f][i]);
            }
        }
    }
    return finite;
}

// Where s is NaN it becomes X Y^T, and + X2 Y2^T unless X2 is null, of one TF32 product: that has the right infinities and NaN,
// and where one of these is in a sum, nothing else matters. A sum of TF32 products is that already.
template <class T, int DIM, int M, int N, Precision PRECISION>
__device__ void repair(float (&s)[M][N / 8][4], const T* x_smem, const T* y_smem, int depth, Products<PRECISION>,
                       const T* x2_smem = nullptr, const T* y2_smem = nullptr) {
    if constexpr (PRECISION != Precision::TF32) {
        float again[M][N / 8][4] = {};
        multiply_float_rows<true, true, DIM, M, N>(again, x_smem, y_smem, depth);
        if (x2_smem) {
            multiply_float_rows<true, true, DIM, M, N>(again, x2_smem, y2_smem, depth);
        }
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    s[m][n][r] = s[m][n][r] == s[m][n][r] ? s[m][n][r] : again[m][n][r];
                }
            }
        }
    }
}

// hide(m, n, r) for every score s[m][n][r] of this lane whose rows are not of one segment; of arguments as for_each_hidden. Called by
// whole warps: a lane has the segments of a few moving rows, and gets others' from their lanes.
template <int M, int N, bool TRANSPOSED, class Hide>
__device__ void for_each_of_other_segment(const Mask& mask, int row0, int column0, Hide hide) {
    constexpr uint32_t ALL_LANES = 0xFFFFFFFF;
    const int lane = threadIdx.x % 32;
    int32_t moving[(N + 31) / 32];
#pragma unroll
    for (int i = 0; i < (N + 31) / 32; i++) {
        const int column = column0 + min(32 * i + lane, N - 1);
        moving[i] = TRANSPOSED ? mask.query_segment(column) : mask.key_segment(column);
    }
    int32_t stationary[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = row0 + lane_row(m, half);
            stationary[m][half] = TRANSPOSED ? mask.key_segment(row) : mask.query_segment(row);
        }
    }
    const int32_t first = __shfl_sync(ALL_LANES, moving[0], 0);
    bool differs = false;
#pragma unroll
    for (int i = 0; i < (N + 31) / 32; i++) {
        differs |= moving[i] != first;
    }
#pragma unroll
    for (int m = 0; m < M; m++) {
        differs |= stationary[m][0] != first || stationary[m][1] != first;
    }
    if (!__any_sync(ALL_LANES, differs)) {
        return;  // most tiles, where segments are longer than that
    }
#pragma unroll
    for (int n = 0; n < N / 8; n++) {
#pragma unroll
        for (int second = 0; second < 2; second++) {
            const int32_t segment = __shfl_sync(ALL_LANES, moving[n / 4], lane_column(n, second) % 32);
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    if (segment != stationary[m][half]) {
                        hide(m, n, 2 * half + second);
                    }
                }
            }
        }
    }
}

// hide(m, n, r) for every score s[m][n][r] of this lane whose query does not see its key. Stationary rows are queries
// from row0 on, moving ones keys from column0 on; the other way round if TRANSPOSED.
template <int M, int N, bool TRANSPOSED, class Hide>
__device__ void for_each_hidden(const Mask& mask, int row0, int column0, Hide hide) {
    row0 = opaque(row0);
    if (mask.has_segments()) {
        for_each_of_other_segment<M, N, TRANSPOSED>(mask, row0, column0, hide);
        const Span stationary{row0, row0 + 16 * M}, moving{column0, column0 + N};
        if (TRANSPOSED ? moving.last <= mask.queries && mask.all_but_for_segments(moving, stationary)
                       : mask.all_but_for_segments(stationary, moving)) {
            return;
        }
    }
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = row0 + lane_row(m, half);
            const Span visible = TRANSPOSED ? mask.queries_of({row, row + 1}) : mask.keys_of({row, row + 1});
            const int first = visible.first - column0, last = visible.last - column0;
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int second = 0; second < 2; second++) {
                    const int column = lane_column(n, second);
                    if (column < first || column >= last) {
                        hide(m, n, 2 * half + second);
                    }
                }
            }
        }
    }
}
