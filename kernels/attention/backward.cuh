// Attention backward, given O, LSE, dO and dLSE:
//
//   P_ij = exp(scale (Q K^T)_ij - LSE_i), 0 where i does not see j      D_i = dO_i . O_i - dLSE_i
//   dP = dO V^T      dS = P * (dP - D)      dQ = scale dS K      dK = scale dS^T Q      dV = P^T dO
//
// (FlashAttention-2, Dao 2023, arXiv:2307.08691.) dQ is a sum over keys and dK, dV over queries: each has its own walk, in
// a fixed order and without atomics, so that the same inputs give the same bits. A query that sees nothing has LSE = +inf,
// so P = 0. The products dP start from -D.
#pragma once
#include "schedule.cuh"

// D of the rows of this lane, from the warp's rows of O and dO in shared memory.
template <class T, int DIM, int M>
__device__ void row_deltas(float (&delta)[M][2], const T* output_smem, const T* d_output_smem, const float* d_log_sum_exp, int row0,
                           int rows, int value_dim) {
    constexpr int PITCH = TILE_PITCH<T, DIM>;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const T* output = output_smem + lane_row(m, half) * PITCH + lane_column(0, 0);
            const T* d_output = d_output_smem + lane_row(m, half) * PITCH + lane_column(0, 0);
            float sum = 0;
#pragma unroll 4
            for (int d = 0; d < value_dim; d += 8) {
                sum = fmaf(to_float(d_output[d]), to_float(output[d]), sum);
                sum = fmaf(to_float(d_output[d + 1]), to_float(output[d + 1]), sum);
            }
            const int row = row0 + lane_row(m, half);
            delta[m][half] = row_sum(sum) - (d_log_sum_exp && row < rows ? d_log_sum_exp[row] : 0);
        }
    }
}

// LSE to base 2; that of a row that does not exist makes its P 0.
__device__ inline float exponent_of(const float* log_sum_exp, int row, int rows) {
    return row < rows ? log_sum_exp[row] * LOG2_E : INFINITY;
}

// The queries of a warp on their way over the keys.
template <class T, int DIM, int M, int N>
struct BackwardQueries {
    float log_sum_exp[M][2];  // to base 2
    float delta[M][2];
    float d_query[M][DIM / 8][4];

    __device__ BackwardQueries(const float* log_sum_exps, int row0, int rows) : d_query{} {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                log_sum_exp[m][half] = exponent_of(log_sum_exps, row0 + lane_row(m, half), rows);
            }
        }
    }

    // A tile of keys from key0 on. query_smem and d_output_smem are the warp's own rows.
    __device__ void step(const AttentionParams& p, const Mask& mask, int row0, int key0, bool all, bool guarded,
                         const T* query_smem, const T* d_output_smem, const T* key_smem, const T* value_smem) {
        float s[M][N / 8][4] = {}, d_score[M][N / 8][4];
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] = -delta[m][r / 2];
                }
            }
        }
        multiply_rows<T, DIM, M, N>(s, query_smem, key_smem, depth(p.head_dim), p.tf32);
        multiply_rows<T, DIM, M, N>(d_score, d_output_smem, value_smem, depth(p.value_dim), p.tf32);
        const float scale = p.scale * LOG2_E;
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] *= power_of_two(fmaf(s[m][n][r], scale, -log_sum_exp[m][r / 2]));
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, false>(mask, row0, key0, [&](int m, int n, int r) { d_score[m][n][r] = 0; });
        }
        accumulate<T, DIM, M, N>(d_query, d_score, key_smem, guarded, p.tf32);
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

// The keys of a warp on their way over the queries; 8 FRAGMENTS columns of their gradients.
template <class T, int DIM, int M, int N, int FRAGMENTS>
struct BackwardKeys {
    float d_key[M][FRAGMENTS][4];
    float d_value[M][FRAGMENTS][4];

    __device__ BackwardKeys() : d_key{}, d_value{} {}

    // A tile of queries from row0 on, with their LSE to base 2 and D. key_smem and value_smem are the warp's own rows, the
    // first of which is key0.
    __device__ void step(const AttentionParams& p, const Mask& mask, int key0, int row0, bool all, bool guarded, int column0,
                         const T* key_smem, const T* value_smem, const T* query_smem, const T* d_output_smem,
                         const float* log_sum_exp_smem, const float* delta_smem) {
        float probability[M][N / 8][4] = {};
        multiply_rows<T, DIM, M, N>(probability, key_smem, query_smem, depth(p.head_dim), p.tf32);
        const float scale = p.scale * LOG2_E;
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            const float2 log_sum_exp = *reinterpret_cast<const float2*>(log_sum_exp_smem + lane_column(n, 0));
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    float& x = probability[m][n][r];
                    x = power_of_two(fmaf(x, scale, -(r % 2 ? log_sum_exp.y : log_sum_exp.x)));
                    x = all ? x : visible_probability(x);
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, true>(mask, key0, row0, [&](int m, int n, int r) { probability[m][n][r] = 0; });
        }
        accumulate<T, DIM, M, N>(d_value, probability, d_output_smem + column0, guarded, p.tf32);

        float d_score[M][N / 8][4];
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            const float2 delta = *reinterpret_cast<const float2*>(delta_smem + lane_column(n, 0));
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    d_score[m][n][r] = -(r % 2 ? delta.y : delta.x);
                }
            }
        }
        multiply_rows<T, DIM, M, N>(d_score, value_smem, d_output_smem, depth(p.value_dim), p.tf32);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    const float x = probability[m][n][r];
                    d_score[m][n][r] = !all && x == 0 ? 0 : x * d_score[m][n][r];  // dP of a hidden pair may be NaN
                }
            }
        }
        accumulate<T, DIM, M, N>(d_key, d_score, query_smem + column0, guarded, p.tf32);
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
