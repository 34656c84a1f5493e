// SPDX-License-Identifier: Apache-2.0
// Attention backward, given dO and dLSE, and of the forward O, m and l:
//
//   P_ij = exp(scale ((Q K^T)_ij - m_i)) / l_i, 0 where i does not see j      D_i = dO_i . O_i - dLSE_i
//   dP = dO V^T      dS = P * (dP - D)      dQ = scale dS K      dK = scale dS^T Q      dV = P^T dO
//
// (FlashAttention-2, Dao 2023, arXiv:2307.08691.) dQ is a sum over keys and dK, dV over queries: each has its own walk, in
// a fixed order and without atomics, so that the same inputs give the same bits. A query that sees nothing has l = +inf,
// so P = 0. O must not have been rounded to 16 bits.
//
// Where few keys have most of the probability dP - D is a difference of numbers that are nearly equal, and what O and dP were
// rounded by, apart from each other, is most of it. Of floats the walk over keys therefore adds up dS, which has the sum dLSE_i +
// (share of the sink) D_i, and takes the rest into D. The products dP have the same bits in both walks, so that D fits them;
// they start from 0, as -D at their start would have a part in how they are rounded.
#pragma once
#include "schedule.cuh"

template <class T>
constexpr bool DELTA_FITS = std::is_same_v<T, float>;
// Where the most probable key has less, the sum of dS is not more exact than D.
constexpr float LEAST_TO_FIT = 1.f / 16;

// Numbers that this lane has for each of its rows on a walk. The longest rows leave no registers for them, which are in shared
// memory then; WHICH tells those of a kernel apart.
enum WalkNumbers { REST, TANGENT_REST, DOMINATING };
template <class X, int M, WalkNumbers WHICH, bool IN_SHARED>
struct ForRows {
    X numbers[M][2];
    __device__ X& of(int m, int half) { return numbers[m][half]; }
};
template <class X, int M, WalkNumbers WHICH>
struct ForRows<X, M, WHICH, true> {
    static constexpr int THREADS = 64;  // of a block, at most
    static __device__ X& of(int m, int half) {
        SHARED(X, numbers_smem, [2 * M][THREADS]);
        return numbers_smem[2 * m + half][opaque(int(threadIdx.x))];
    }
};
template <int DIM>
constexpr bool FEW_REGISTERS = DIM == 256;

// This lane's shares of the sums over a tile's columns, added to `sum`.
template <int M, int N, class Sum>
__device__ void add_up(Sum& sum, const float (&x)[M][N / 8][4]) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float of_tile = 0;
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
                of_tile += x[m][n][2 * half] + x[m][n][2 * half + 1];
            }
            sum.of(m, half) += of_tile;
        }
    }
}

// Whether a key has more than half of a row's probability.
template <class T>
__device__ bool has_dominating(float normalizer) {
    return std::is_same_v<T, float> ? normalizer > 0.5f : normalizer < 1;  // the probability of the largest score
}

// Notes that key, if this lane has it in its columns of the tile from key0 on.
template <class T, int M, int N, class Keys>
__device__ void note_dominating(Keys& key, const float (&probability)[M][N / 8][4], const float (&normalizer)[M][2],
                                int key0) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            if (has_dominating<T>(normalizer[m][half])) {
#pragma unroll
                for (int n = 0; n < N / 8; n++) {
#pragma unroll
                    for (int second = 0; second < 2; second++) {
                        if (probability[m][n][2 * half + second] > 0.5f) {
                            key.of(m, half) = key0 + lane_column(n, second);
                        }
                    }
                }
            }
        }
    }
}

// Row x[..][2 half..] of accumulators -= weight * row.
template <class T, int FRAGMENTS>
__device__ void subtract_row(float (&x)[FRAGMENTS][4], int half, float weight, const T* row, int dim) {
#pragma unroll
    for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
        for (int second = 0; second < 2; second++) {
            const int column = lane_column(f, second);
            float& element = x[f][2 * half + second];
            element = column < dim ? fmaf(-weight, to_float(row[column]), element) : element;
        }
    }
}

// dS, from a product that started from start_of_d_score().
template <bool FITS>
__device__ float start_of_d_score(float delta) {
    return FITS ? 0 : -delta;
}
template <bool FITS>
__device__ float d_score_of(float probability, float product, float delta) {
    return probability * (FITS ? product - delta : product);
}

// D of the rows of this lane, from the warp's rows of dO in shared memory.
template <class T, int DIM, int M>
__device__ void row_deltas(float (&delta)[M][2], const AttentionParams& p, int batch, int head, const T* d_output_smem, int row0) {
    constexpr int PITCH = TILE_PITCH<T, DIM>;
    const auto output = output_rows<const float>(p, static_cast<const void*>(p.exact_output), batch, head);
    const int64_t scalars = (int64_t(batch) * p.heads + head) * p.queries;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = row0 + lane_row(m, half), columns = row < p.queries ? p.value_dim : 0;
            const float* const exact = output.first + row * output.stride;
            const T* const gradient = d_output_smem + lane_row(m, half) * PITCH;
            float sum = 0;
#pragma unroll 4
            for (int d = lane_column(0, 0); d < columns; d += 8) {
                sum = fmaf(to_float(gradient[d]), exact[d], sum);
                if (d + 1 < columns) {
                    sum = fmaf(to_float(gradient[d + 1]), exact[d + 1], sum);
                }
            }
            delta[m][half] = row_sum(sum) - (p.d_log_sum_exp && columns > 0 ? p.d_log_sum_exp[scalars + row] : 0);
        }
    }
}

// The queries of a warp on their way over the keys.
template <class T, int DIM, int M, int N>
struct BackwardQueries {
    RowState<T, M> state;
    float delta[M][2];
    float d_query[M][DIM / 8][4];
    // If DELTA_FITS: this lane's share of the sum of dS, and the key, if it is one of this lane's, that has more than half of
    // the probability, or -1.
    ForRows<float, M, REST, FEW_REGISTERS<DIM>> sum;
    ForRows<int, M, DOMINATING, FEW_REGISTERS<DIM>> dominating;

    __device__ BackwardQueries(const AttentionParams& p, int head_index, int row0) : state(p, head_index, row0) { clear(); }

    // A tile of keys from key0 on. query_smem and d_output_smem are the warp's own rows.
    template <class Problem>
    __device__ void step(const Problem& p, const Mask& mask, int row0, int key0, bool all, bool guarded, bool careful,
                         const T* query_smem, const T* d_output_smem, const T* key_smem, const T* value_smem) {
        float s[M][N / 8][4] = {}, d_score[M][N / 8][4];
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] = start_of_d_score<DELTA_FITS<T>>(delta[m][r / 2]);
                }
            }
        }
        multiply_rows<T, DIM, M, N>(s, query_smem, key_smem, depth(p.head_dim), p.products());
        multiply_rows<T, DIM, M, N>(d_score, d_output_smem, value_smem, depth(p.value_dim), p.products());
        if constexpr (CAN_BE_CAREFUL<T>) {
            if (careful) {
                repair<T, DIM, M, N>(s, query_smem, key_smem, depth(p.head_dim), p.products());
                repair<T, DIM, M, N>(d_score, d_output_smem, value_smem, depth(p.value_dim), p.products());
            }
        }
        const float scale = exponent_scale(p);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    float& x = s[m][n][r];
                    x = probability<T>(x, state.maximum[m][r / 2], scale, state.normalizer[m][r / 2]);
                    d_score[m][n][r] = d_score_of<DELTA_FITS<T>>(x, d_score[m][n][r], delta[m][r / 2]);
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, false>(mask, row0, key0, [&](int m, int n, int r) { s[m][n][r] = d_score[m][n][r] = 0; });
        }
        if constexpr (DELTA_FITS<T>) {
            add_up<M, N>(sum, d_score);
            note_dominating<T, M, N>(dominating, s, state.normalizer, key0);
        }
        accumulate<T, DIM, M, N>(d_query, d_score, key_smem, guarded || careful, p.products());
    }

    __device__ void clear() {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int f = 0; f < DIM / 8; f++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_query[m][f][r] = 0;
                }
            }
#pragma unroll
            for (int half = 0; half < (DELTA_FITS<T> ? 2 : 0); half++) {
                sum.of(m, half) = 0;
                dominating.of(m, half) = -1;
            }
        }
    }

    // After the walk: makes D fit, and dQ where there is a dominating key, whose dS has most of D in it. No registers are kept
    // through the walk for the addresses.
    __device__ void fit(const AttentionParams& p, int head_index, int row0, const T* keys, int64_t key_stride) {
        if constexpr (DELTA_FITS<T>) {
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    const int row = opaque(row0) + lane_row(m, half);
                    const int64_t index = int64_t(opaque(head_index)) * p.queries + row;
                    const bool there = row < p.queries;
                    const float d_log_sum_exp = there && p.d_log_sum_exp ? p.d_log_sum_exp[index] : 0;
                    const float sink_share = there && p.sink ? p.sink_share[index] : 0;
                    const float rest = row_sum(sum.of(m, half)) - fmaf(sink_share, delta[m][half], d_log_sum_exp);
                    const int key = row_maximum(dominating.of(m, half));
                    if (state.normalizer[m][half] < LEAST_TO_FIT || !(fabsf(rest) <= LARGEST)) {
                        continue;
                    }
                    delta[m][half] += rest;
                    if (key >= 0) {
                        subtract_row(d_query[m], half, rest * state.normalizer[m][half], keys + key * key_stride, p.head_dim);
                    }
                }
            }
        }
    }

    __device__ void finish(const AttentionParams& p, const Rows<T>& to, int row0, T* stage_smem) const {
        float factor[M][2];
#pragma unroll
        for (int m = 0; m < M; m++) {
            factor[m][0] = factor[m][1] = p.scale;
        }
        store_rows<T, DIM>(to, row0, 0, d_query, factor, stage_smem);
    }
};

// Of the queries of a tile in shared memory.
struct QueryScalars {
    static constexpr int COUNT = 3;
    float *maximum_smem, *normalizer_smem, *delta_smem;

    __device__ QueryScalars(float* memory_smem, int rows)
        : maximum_smem(memory_smem), normalizer_smem(memory_smem + rows), delta_smem(memory_smem + 2 * rows) {}

    // Of row `from` of a head, to place `to`; where there is no such row P becomes 0.
    template <class T>
    __device__ void load_state(int to, const AttentionParams& p, int head_index, int from, int end) const {
        const int64_t index = int64_t(head_index) * p.queries + from;
        maximum_smem[to] = from < end ? p.maximum[index] : 0;
        normalizer_smem[to] = from < end ? p.normalizer[index] : HIDING_NORMALIZER<T>;
    }
    __device__ QueryScalars from(int row) const {
        QueryScalars moved = *this;
        moved.maximum_smem += row;
        moved.normalizer_smem += row;
        moved.delta_smem += row;
        return moved;
    }
};

// The keys of a warp on their way over the queries; 8 FRAGMENTS columns of their gradients.
template <class T, int DIM, int M, int N, int FRAGMENTS>
struct BackwardKeys {
    float d_key[M][FRAGMENTS][4];
    float d_value[M][FRAGMENTS][4];

    __device__ BackwardKeys() : d_key{}, d_value{} {}

    // A tile of queries from row0 on, with m, l and D. key_smem and value_smem are the warp's own rows, the first of which
    // is key0.
    template <class Problem>
    __device__ void step(const Problem& p, const Mask& mask, int key0, int row0, bool all, bool guarded, bool careful,
                         int column0, const T* key_smem, const T* value_smem, const T* query_smem, const T* d_output_smem,
                         const QueryScalars& scalars) {
        all = all && !careful;  // a key that is not finite makes NaN of the score of a query that does not exist
        float weight[M][N / 8][4] = {};
        multiply_rows<T, DIM, M, N, false>(weight, key_smem, query_smem, depth(p.head_dim), p.products());
        if constexpr (KEYS_CAN_BE_CAREFUL<T, DIM>) {
            if (careful) {
                repair<T, DIM, M, N>(weight, key_smem, query_smem, depth(p.head_dim), p.products());
            }
        }
        const float scale = exponent_scale(p);
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            const float2 maximum = *reinterpret_cast<const float2*>(scalars.maximum_smem + lane_column(n, 0));
            const float2 normalizer = *reinterpret_cast<const float2*>(scalars.normalizer_smem + lane_column(n, 0));
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    float& x = weight[m][n][r];
                    x = r % 2 ? probability<T>(x, maximum.y, scale, normalizer.y) : probability<T>(x, maximum.x, scale, normalizer.x);
                    x = all ? x : visible_probability(x);
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, true>(mask, key0, row0, [&](int m, int n, int r) { weight[m][n][r] = 0; });
        }
        accumulate<T, DIM, M, N>(d_value, weight, d_output_smem + column0, guarded || careful, p.products());

        float d_score[M][N / 8][4];
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            const float2 delta = *reinterpret_cast<const float2*>(scalars.delta_smem + lane_column(n, 0));
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] = start_of_d_score<DELTA_FITS<T>>(r % 2 ? delta.y : delta.x);
                }
            }
        }
        multiply_rows<T, DIM, M, N, false>(d_score, value_smem, d_output_smem, depth(p.value_dim), p.products());
        if constexpr (KEYS_CAN_BE_CAREFUL<T, DIM>) {
            if (careful) {
                repair<T, DIM, M, N>(d_score, value_smem, d_output_smem, depth(p.value_dim), p.products());
            }
        }
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            const float2 delta = *reinterpret_cast<const float2*>(scalars.delta_smem + lane_column(n, 0));
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    const float x = weight[m][n][r];
                    // dP of a hidden pair may be NaN
                    d_score[m][n][r] = !all && x == 0 ? 0 : d_score_of<DELTA_FITS<T>>(x, d_score[m][n][r], r % 2 ? delta.y : delta.x);
                }
            }
        }
        accumulate<T, DIM, M, N>(d_key, d_score, query_smem + column0, guarded || careful, p.products());
    }

    __device__ void finish(const AttentionParams& p, const Rows<T>& to_key, const Rows<T>& to_value, int key0, int column0,
                           T* stage_smem) const {
        float scale[M][2], one[M][2];
#pragma unroll
        for (int m = 0; m < M; m++) {
            scale[m][0] = scale[m][1] = p.scale;
            one[m][0] = one[m][1] = 1;
        }
        store_rows<T, DIM>(to_key, key0, column0, d_key, scale, stage_smem);
        store_rows<T, DIM>(to_value, key0, column0, d_value, one, stage_smem);
    }
};
