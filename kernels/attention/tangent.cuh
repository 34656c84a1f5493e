// SPDX-License-Identifier: Apache-2.0
// Tangents of attention and of its backward, given O, m and l (backward.cuh); a dot marks a tangent:
//
//   P_ij = exp(scale ((Q K^T)_ij - m_i)) / l_i, 0 where i does not see j      T = scale (Q. K^T + Q K.^T)
//   r_i = sum_j P_ij T_ij + share of the sink sink. = LSE._i      O. = (P T) V + P V. - r O
//
// and, where gradients dO and dLSE are given too, with D_i = dO_i . O_i - dLSE_i:
//
//   dP = dO V^T      dS = P * (dP - D)      W = dO V.^T + dO. V^T      e_i = dO_i . O._i + dO._i . O_i - dLSE._i = D._i
//   P. = P * (T - r)      dS. = dS * (T - r) + P * (W - e)
//   dQ. = scale (dS. K + dS K.)      dK. = scale (dS.^T Q + dS^T Q.)      dV. = P.^T dO + P^T dO.
//
// The second derivative of dO . O + dLSE . LSE is symmetric, so these are also the gradients of the backward. O. and r are
// sums over keys in one walk. dQ. and dK., dV. need r and e, and have a walk each, in a fixed order and without atomics.
// No score outlives its tile. D and e of floats fit the products dP and W as D does in the backward: tangent_rows takes into
// them the rest of the sums over keys of dS, which is as there, and of dS., which is
// dLSE._i + (tangent of the share of the sink) D_i + (share of the sink) e_i. It writes them apart, for other blocks may not have
// read yet what jvp left.
#pragma once
#include "backward.cuh"

template <int M, int FRAGMENTS>
__device__ void clear(float (&x)[M][FRAGMENTS][4]) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                x[m][f][i] = 0;
            }
        }
    }
}

// S += X Y^T and T += X. Y^T + X Y.^T; X. may be null.
template <class T, int DIM, int M, int N, class Products>
__device__ void multiply_pairs(float (&s)[M][N / 8][4], float (&t)[M][N / 8][4], const T* x_smem, const T* x_tangent_smem,
                               const T* y_smem, const T* y_tangent_smem, int depth, Products products) {
    multiply_rows<T, DIM, M, N>(s, x_smem, y_smem, depth, products);
    multiply_rows<T, DIM, M, N>(t, x_smem, y_tangent_smem, depth, products);
    if (x_tangent_smem) {
        multiply_rows<T, DIM, M, N>(t, x_tangent_smem, y_smem, depth, products);
    }
}

// Takes again what is NaN of the results of multiply_pairs(), or of multiply_transposed_pairs(), which started from 0.
template <class T, int DIM, int M, int N, class Products>
__device__ void repair_pairs(float (&s)[M][N / 8][4], float (&t)[M][N / 8][4], const T* x_smem, const T* x_tangent_smem,
                             const T* y_smem, const T* y_tangent_smem, int depth, Products products) {
    repair<T, DIM, M, N>(s, x_smem, y_smem, depth, products);
    if (x_tangent_smem && y_tangent_smem) {
        repair<T, DIM, M, N>(t, x_smem, y_tangent_smem, depth, products, x_tangent_smem, y_smem);
    } else {
        repair<T, DIM, M, N>(t, x_tangent_smem ? x_tangent_smem : x_smem, y_tangent_smem ? y_tangent_smem : y_smem, depth, products);
    }
}

// multiply_pairs() where keys are stationary, with the same bits: here Y. may be null.
template <class T, int DIM, int M, int N, class Products>
__device__ void multiply_transposed_pairs(float (&s)[M][N / 8][4], float (&t)[M][N / 8][4], const T* x_smem,
                                          const T* x_tangent_smem, const T* y_smem, const T* y_tangent_smem, int depth,
                                          Products products) {
    multiply_rows<T, DIM, M, N, false>(s, x_smem, y_smem, depth, products);
    multiply_rows<T, DIM, M, N, false>(t, x_tangent_smem, y_smem, depth, products);
    if (y_tangent_smem) {
        multiply_rows<T, DIM, M, N, false>(t, x_smem, y_tangent_smem, depth, products);
    }
}

// Row scalars of the queries. D and e are those of jvp, or, if FITTED, of tangent_rows.
template <bool FITTED>
struct TangentScalars {
    const float* maximum;
    const float* normalizer;
    const float* r;
    const float* delta;
    const float* delta_tangent;

    __device__ TangentScalars(const AttentionParams& p, int head_index)
        : maximum(p.maximum + int64_t(head_index) * p.queries), normalizer(p.normalizer + int64_t(head_index) * p.queries),
          r(p.log_sum_exp_tangent + int64_t(head_index) * p.queries),
          delta((FITTED ? p.fitted_delta : p.delta) + int64_t(head_index) * p.queries),
          delta_tangent((FITTED ? p.fitted_delta_tangent : p.delta_tangent) + int64_t(head_index) * p.queries) {}
};

// From products to weights, of a tile of scores whose queries have the scalars given: s from Q K^T to P, t to P., d to dS
// and w to dS.. d and w started from start_of_d_score<FITS>() of D and e.
template <class T, bool FITS>
struct TangentWeights {
    float scale, exponents;

    __device__ explicit TangentWeights(const AttentionParams& p) : scale(p.scale), exponents(exponent_scale(p)) {}

    __device__ void weigh(float& s, float& t, float& d, float& w, float maximum, float normalizer, float r, float delta,
                          float delta_tangent) const {
        s = probability<T>(s, maximum, exponents, normalizer);
        const float centred = fmaf(t, scale, -r);
        t = s * centred;
        d = d_score_of<FITS>(s, d, delta);
        w = fmaf(d, centred, d_score_of<FITS>(s, w, delta_tangent));
    }
};

// The queries of a warp on their way over the keys: 8 FRAGMENTS columns of dQ..
template <class T, int DIM, int M, int N, int FRAGMENTS>
struct TangentQueries {
    RowState<T, M> state;
    float r[M][2], delta[M][2], delta_tangent[M][2];
    float d_query[M][FRAGMENTS][4];
    ForRows<float, M, REST, FEW_REGISTERS<DIM>> sum;  // if DELTA_FITS, as in BackwardQueries
    ForRows<float, M, TANGENT_REST, FEW_REGISTERS<DIM>> tangent_sum;
    ForRows<int, M, DOMINATING, FEW_REGISTERS<DIM>> dominating;

    __device__ TangentQueries(const AttentionParams& p, int head_index, int row0) : state(p, head_index, row0) {
        clear();
        const TangentScalars<false> scalars(p, head_index);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = row0 + lane_row(m, half);
                const bool there = row < p.queries;
                r[m][half] = there ? scalars.r[row] : 0;
                delta[m][half] = there ? scalars.delta[row] : 0;
                delta_tangent[m][half] = there ? scalars.delta_tangent[row] : 0;
            }
        }
    }

    __device__ void clear() {
        ::clear(d_query);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < (DELTA_FITS<T> ? 2 : 0); half++) {
                sum.of(m, half) = tangent_sum.of(m, half) = 0;
                dominating.of(m, half) = -1;
            }
        }
    }

    __device__ void start(float (&d)[M][N / 8][4], float (&w)[M][N / 8][4]) const {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    d[m][n][i] = start_of_d_score<DELTA_FITS<T>>(delta[m][i / 2]);
                    w[m][n][i] = start_of_d_score<DELTA_FITS<T>>(delta_tangent[m][i / 2]);
                }
            }
        }
    }

    // d and w become dS and dS..
    __device__ void weigh(float (&s)[M][N / 8][4], float (&t)[M][N / 8][4], float (&d)[M][N / 8][4], float (&w)[M][N / 8][4],
                          const AttentionParams& p, const Mask& mask, int row0, int key0, bool all) {
        const TangentWeights<T, DELTA_FITS<T>> weights(p);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    weights.weigh(s[m][n][i], t[m][n][i], d[m][n][i], w[m][n][i], state.maximum[m][i / 2],
                                  state.normalizer[m][i / 2], r[m][i / 2], delta[m][i / 2], delta_tangent[m][i / 2]);
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, false>(mask, row0, key0, [&](int m, int n, int i) { s[m][n][i] = d[m][n][i] = w[m][n][i] = 0; });
        }
        if constexpr (DELTA_FITS<T>) {
            add_up<M, N>(sum, d);
            add_up<M, N>(tangent_sum, w);
            note_dominating<T, M, N>(dominating, s, state.normalizer, key0);
        }
    }

    // After the walk, as BackwardQueries::fit(), and writes D and e. `keys` and `key_tangents` are of the columns of d_query, of which
    // there are `dim`.
    __device__ void fit(const AttentionParams& p, int head_index, int row0, int head, const T* keys, const T* key_tangents,
                        int64_t key_stride, int dim) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = opaque(row0) + lane_row(m, half);
                const int64_t index = int64_t(opaque(head_index)) * p.queries + row;
                const bool there = row < p.queries;
                float rest = 0, tangent_rest = 0;
                if constexpr (DELTA_FITS<T>) {
                    float due = there && p.d_log_sum_exp ? p.d_log_sum_exp[index] : 0;
                    float tangent_due = there && p.d_log_sum_exp_tangent ? p.d_log_sum_exp_tangent[index] : 0;
                    if (p.sink && there) {
                        const float share = p.sink_share[index];
                        const float share_tangent = share * ((p.sink_tangent ? p.sink_tangent[head] : 0) - r[m][half]);
                        due = fmaf(share, delta[m][half], due);
                        tangent_due = fmaf(share, delta_tangent[m][half], fmaf(share_tangent, delta[m][half], tangent_due));
                    }
                    rest = row_sum(sum.of(m, half)) - due;
                    tangent_rest = row_sum(tangent_sum.of(m, half)) - tangent_due;
                    const int key = row_maximum(dominating.of(m, half));
                    const float share = state.normalizer[m][half];
                    if (share < LEAST_TO_FIT || !(fabsf(rest) <= LARGEST) || !(fabsf(tangent_rest) <= LARGEST)) {
                        rest = tangent_rest = 0;
                    } else if (key >= 0) {
                        subtract_row(d_query[m], half, tangent_rest * share, keys + key * key_stride, dim);
                        subtract_row(d_query[m], half, rest * share, key_tangents + key * key_stride, dim);
                    }
                }
                if (there && threadIdx.x % 4 == 0) {
                    p.fitted_delta[index] = delta[m][half] + rest;
                    p.fitted_delta_tangent[index] = delta_tangent[m][half] + tangent_rest;
                }
            }
        }
    }
};

// The keys of a warp on their way over the queries: 8 FRAGMENTS columns of dK. and dV..
template <class T, int DIM, int M, int N, int FRAGMENTS>
struct TangentKeys {
    // Whether D and e are subtracted after the products, as tangent_rows does; the longest rows leave no registers for it.
    static constexpr bool LAST = DELTA_FITS<T> && !FEW_REGISTERS<DIM>;
    float d_key[M][FRAGMENTS][4];
    float d_value[M][FRAGMENTS][4];

    __device__ TangentKeys() : d_key{}, d_value{} {}

    static __device__ float scalar(const float* scalars, int row, int rows) { return row < rows ? scalars[row] : 0; }

    // Of the queries from row0 on.
    __device__ void start(float (&d)[M][N / 8][4], float (&w)[M][N / 8][4], const TangentScalars<true>& scalars, int row0,
                          int rows) const {
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
#pragma unroll
            for (int second = 0; second < 2; second++) {
                const int row = row0 + lane_column(n, second);
                const float delta = scalar(scalars.delta, row, rows), tangent = scalar(scalars.delta_tangent, row, rows);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    d[m][n][second] = d[m][n][2 + second] = start_of_d_score<LAST>(delta);
                    w[m][n][second] = w[m][n][2 + second] = start_of_d_score<LAST>(tangent);
                }
            }
        }
    }

    // s, t, d and w become P, P., dS and dS..
    __device__ void weigh(float (&s)[M][N / 8][4], float (&t)[M][N / 8][4], float (&d)[M][N / 8][4], float (&w)[M][N / 8][4],
                          const AttentionParams& p, const Mask& mask, const TangentScalars<true>& scalars, int key0, int row0,
                          bool all) const {
        const TangentWeights<T, LAST> weights(p);
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
#pragma unroll
            for (int second = 0; second < 2; second++) {
                const int row = row0 + lane_column(n, second);
                const float maximum = scalar(scalars.maximum, row, p.queries), r = scalar(scalars.r, row, p.queries);
                const float normalizer = row < p.queries ? scalars.normalizer[row] : HIDING_NORMALIZER<T>;
                const float delta = scalar(scalars.delta, row, p.queries), tangent = scalar(scalars.delta_tangent, row, p.queries);
#pragma unroll
                for (int m = 0; m < M; m++) {
#pragma unroll
                    for (int i = second; i < 4; i += 2) {
                        weights.weigh(s[m][n][i], t[m][n][i], d[m][n][i], w[m][n][i], maximum, normalizer, r, delta, tangent);
                    }
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, true>(mask, key0, row0, [&](int m, int n, int i) {
                s[m][n][i] = t[m][n][i] = d[m][n][i] = w[m][n][i] = 0;
            });
        }
    }
};

// A tile of moving rows and one of their tangents.
template <class T, int DIM, int N>
struct MovingPair {
    static constexpr int TILE = N * TILE_PITCH<T, DIM>;
    T* rows_smem;  // [2][N], the second not loaded if there is no tangent
    Rows<const T> rows;
    const T* tangent;  // laid out like the rows, or null
    Team team;

    __device__ void load(int row0, int end) const {
#pragma unroll 1  // half the code
        for (int i = 0; i <= has_tangent(); i++) {
            const Rows<const T> from{i ? tangent : rows.first, rows.stride, rows.count, rows.dim};
            load_tile<T, DIM>(rows_smem + i * TILE, from, row0, N, end, team);
        }
    }
    __device__ bool finite() const {
        bool finite = true;
#pragma unroll 1
        for (int i = 0; i <= has_tangent(); i++) {
            finite &= finite_tile<T, DIM>(rows_smem + i * TILE, N, team);
        }
        return finite;
    }
    __device__ bool has_tangent() const { return tangent != nullptr; }
    __device__ const T* tangent_smem() const { return rows_smem + TILE; }
    __device__ const T* tangent_or_null() const { return has_tangent() ? tangent_smem() : nullptr; }
};

// Walks over the tiles of N rows in `span` with two pairs of them, in three steps: scores(row0) on the first pair,
// weights(row0, guarded) on the second, sums(row0, guarded) on the first again. Where shared memory holds but one pair, the
// two have the same place (PHASED) and are loaded in turn; a block is one warp then. suspect(row0) says whether a tile
// hides anything.
template <bool PHASED, class Pair, class Suspect, class Scores, class Weights, class Sums>
__device__ void for_each_pair(Span span, int n, const Pair& first, const Pair& second, Suspect suspect, Scores scores,
                              Weights weights, Sums sums) {
    for (int row0 = span.first / n * n; row0 < span.last; row0 += n) {
        __syncthreads();  // the last tiles were used
        first.load(row0, span.last);
        async_commit();
        if (!PHASED) {
            second.load(row0, span.last);
            async_commit();
            async_wait<1>();
        } else {
            async_wait<0>();
        }
        const bool check = suspect(row0);
        bool guarded = __syncthreads_or(check && !first.finite());
        scores(row0);
        if (PHASED) {
            __syncwarp();  // all of the block: the first tiles were used
            second.load(row0, span.last);
            async_commit();
        }
        async_wait<0>();
        guarded = __syncthreads_or(guarded || (check && !second.finite()));
        weights(row0, guarded);
        if (PHASED) {
            __syncwarp();
            first.load(row0, span.last);
            async_commit();
            async_wait<0>();
            __syncthreads();
        }
        sums(row0, guarded);
    }
    async_commit();  // without tiles, what was started before
    async_wait<0>();
    __syncthreads();
}
