// Attention backward, given dO and dLSE, and of the forward O, m and l:
//
//   P_ij = exp(scale ((Q K^T)_ij - m_i)) / l_i, 0 where i does not see j      D_i = dO_i . O_i - dLSE_i
//   dP = dO V^T      dS = P * (dP - D)      dQ = scale dS K      dK = scale dS^T Q      dV = P^T dO
//
// (FlashAttention-2, Dao 2023, arXiv:2307.08691.) dQ is a sum over keys and dK, dV over queries: each has its own walk, in
// a fixed order and without atomics, so that the same inputs give the same bits. A query that sees nothing has l = +inf,
// so P = 0. The products dP start from -D, for which O must not have been rounded to 16 bits.
#pragma once
#include "schedule.cuh"

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

    __device__ BackwardQueries(const AttentionParams& p, int head_index, int row0) : state(p, head_index, row0), d_query{} {}

    // A tile of keys from key0 on. query_smem and d_output_smem are the warp's own rows.
    __device__ void step(const AttentionParams& p, const Mask& mask, int row0, int key0, bool all, bool guarded, bool careful,
                         const T* query_smem, const T* d_output_smem, const T* key_smem, const T* value_smem) {
        float s[M][N / 8][4] = {}, d_score[M][N / 8][4];
        const auto start = [&](int m, int, int r) { return -delta[m][r / 2]; };
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] = start(m, n, r);
                }
            }
        }
        multiply_rows<T, DIM, M, N>(s, query_smem, key_smem, depth(p.head_dim), p.tf32);
        multiply_rows<T, DIM, M, N>(d_score, d_output_smem, value_smem, depth(p.value_dim), p.tf32);
        if constexpr (CAN_BE_CAREFUL<T>) {
            if (careful) {
                repair<T, DIM, M, N>(s, FromZero{}, query_smem, key_smem, depth(p.head_dim));
                repair<T, DIM, M, N>(d_score, start, d_output_smem, value_smem, depth(p.value_dim));
            }
        }
        const float scale = exponent_scale(p);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] *= probability<T>(s[m][n][r], state.maximum[m][r / 2], scale, state.normalizer[m][r / 2]);
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, false>(mask, row0, key0, [&](int m, int n, int r) { d_score[m][n][r] = 0; });
        }
        accumulate<T, DIM, M, N>(d_query, d_score, key_smem, guarded || careful, p.tf32);
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
    __device__ void step(const AttentionParams& p, const Mask& mask, int key0, int row0, bool all, bool guarded, bool careful,
                         int column0, const T* key_smem, const T* value_smem, const T* query_smem, const T* d_output_smem,
                         const QueryScalars& scalars) {
        all = all && !careful;  // a key that is not finite makes NaN of the score of a query that does not exist
        float weight[M][N / 8][4] = {};
        multiply_rows<T, DIM, M, N, false>(weight, key_smem, query_smem, depth(p.head_dim), p.tf32);
        if constexpr (KEYS_CAN_BE_CAREFUL<T, DIM>) {
            if (careful) {
                repair<T, DIM, M, N>(weight, FromZero{}, key_smem, query_smem, depth(p.head_dim));
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
        accumulate<T, DIM, M, N>(d_value, weight, d_output_smem + column0, guarded || careful, p.tf32);

        float d_score[M][N / 8][4];
        const auto start = [&](int, int n, int r) { return -scalars.delta_smem[lane_column(n, r % 2)]; };
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            const float2 delta = *reinterpret_cast<const float2*>(scalars.delta_smem + lane_column(n, 0));
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] = -(r % 2 ? delta.y : delta.x);
                }
            }
        }
        multiply_rows<T, DIM, M, N>(d_score, value_smem, d_output_smem, depth(p.value_dim), p.tf32);
        if constexpr (KEYS_CAN_BE_CAREFUL<T, DIM>) {
            if (careful) {
                repair<T, DIM, M, N>(d_score, start, value_smem, d_output_smem, depth(p.value_dim));
            }
        }
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    const float x = weight[m][n][r];
                    d_score[m][n][r] = !all && x == 0 ? 0 : x * d_score[m][n][r];  // dP of a hidden pair may be NaN
                }
            }
        }
        accumulate<T, DIM, M, N>(d_key, d_score, query_smem + column0, guarded || careful, p.tf32);
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
