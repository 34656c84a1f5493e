// SPDX-License-Identifier: Apache-2.0
// The walk over keys that gives O. and r (tangent.cuh), and the one before it that finds the keys that dominate rows.
#pragma once
#include "tangent.cuh"

// The walk before that of JvpQueries, which ends when all dominating keys are known: T of its dominating key, or 0, as the row's
// centre, kept where r will be. Where few keys have most of the probability P T V - r O is a difference of numbers that are
// nearly equal, of whose rounding P (T - centre) V - (r - centre) O is free.
template <class T, int DIM, int M, int N>
struct JvpCentres {
    ForRows<int, M, DOMINATING, false> key;
    bool missing;

    __device__ JvpCentres(const AttentionParams& p, int head_index, int row0) {
        const RowState<T, M> state(p, head_index, row0);
        missing = false;
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                key.of(m, half) = -1;
                missing |= has_dominating<T>(state.normalizer[m][half]);
            }
        }
        missing = __any_sync(0xFFFFFFFF, missing);
    }

    // A tile of keys from key0 on.
    template <class Problem>
    __device__ void step(const Problem& p, const Mask& mask, int head_index, int row0, int key0, const T* query_smem,
                         const T* key_smem) {
        float s[M][N / 8][4] = {};
        multiply_rows<T, DIM, M, N>(s, query_smem, key_smem, depth(p.head_dim), p.products());
        const float scale = exponent_scale(p);
        const RowState<T, M> state(p, head_index, row0);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    s[m][n][i] = probability<T>(s[m][n][i], state.maximum[m][i / 2], scale, state.normalizer[m][i / 2]);
                }
            }
        }
        for_each_hidden<M, N, false>(mask, row0, key0, [&](int m, int n, int i) { s[m][n][i] = 0; });
        note_dominating<T, M, N>(key, s, state.normalizer, key0);
        missing = false;
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                key.of(m, half) = row_maximum(key.of(m, half));
                missing |= has_dominating<T>(state.normalizer[m][half]) && key.of(m, half) < 0;
            }
        }
        missing = __any_sync(0xFFFFFFFF, missing);
    }

    // query_smem and query_tangent_smem are the warp's own rows; keys and their tangents the first of their head.
    __device__ void finish(const AttentionParams& p, int head_index, int row0, const T* query_smem, const T* query_tangent_smem,
                           const T* keys, const T* key_tangents, int64_t key_stride) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = row0 + lane_row(m, half), own = lane_row(m, half) * TILE_PITCH<T, DIM>;
                float centre = 0;
                if (key.of(m, half) >= 0) {
                    const int64_t other = key.of(m, half) * key_stride;
#pragma unroll 1
                    for (int d = threadIdx.x % 4; d < p.head_dim; d += 4) {
                        centre = fmaf(to_float(query_tangent_smem[own + d]), to_float(keys[other + d]), centre);
                        centre = fmaf(to_float(query_smem[own + d]), to_float(key_tangents[other + d]), centre);
                    }
                }
                centre = row_sum(centre) * p.scale;
                if (row < p.queries && threadIdx.x % 4 == 0) {
                    p.log_sum_exp_tangent[int64_t(head_index) * p.queries + row] = fabsf(centre) <= LARGEST ? centre : 0;
                }
            }
        }
        __syncwarp();
    }
};

// The queries of a warp on their way over the keys: r, from its centre, and O..
template <class T, int DIM, int M, int N>
struct JvpQueries {
    float r[M][2];  // this lane's share
    float out[M][DIM / 8][4];

    __device__ JvpQueries() : r{}, out{} {}

    static __device__ float centre_of(const AttentionParams& p, int head_index, int row) {
        return row < p.queries ? p.log_sum_exp_tangent[int64_t(head_index) * p.queries + row] : 0;
    }

    // From Q K^T and its tangent to the weights P and P (T - centre), added up in r.
    __device__ void weigh(float (&s)[M][N / 8][4], float (&t)[M][N / 8][4], const AttentionParams& p, const Mask& mask,
                          int head_index, int row0, int key0, bool all) {
        const float scale = exponent_scale(p);
        const RowState<T, M> state(p, head_index, row0);
        float centre[M][2];
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                centre[m][half] = centre_of(p, head_index, row0 + lane_row(m, half));
            }
        }
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    s[m][n][i] = probability<T>(s[m][n][i], state.maximum[m][i / 2], scale, state.normalizer[m][i / 2]);
                    t[m][n][i] = fmaf(t[m][n][i], p.scale, -centre[m][i / 2]) * s[m][n][i];
                }
            }
        }
        if (!all) {
            for_each_hidden<M, N, false>(mask, row0, key0, [&](int m, int n, int r) { s[m][n][r] = t[m][n][r] = 0; });
        }
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    r[m][i / 2] += t[m][n][i];
                }
            }
        }
    }

    // out becomes O.; r, and if there are gradients D and e, are written.
    __device__ void finish(const AttentionParams& p, int batch, int head, int head_index, int row0) {
        const auto output = output_rows<const float>(p, static_cast<const void*>(p.exact_output), batch, head);
        const auto d_output = output_rows<const T>(p, p.d_output, batch, head);
        const auto d_output_tangent = output_rows<const T>(p, p.d_output_tangent, batch, head);
        const int column0 = lane_column(0, 0);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = row0 + lane_row(m, half);
                const bool there = row < p.queries;
                const int64_t index = int64_t(head_index) * p.queries + row;
                const float centre = centre_of(p, head_index, row);
                float mean = row_sum(r[m][half]);  // less the centre
                if (p.sink && there) {
                    mean = fmaf(p.sink_share[index], (p.sink_tangent ? p.sink_tangent[head] : 0) - centre, mean);
                }
                const int64_t offset = there ? row * output.stride : 0;
                float delta = 0, delta_tangent = 0;
#pragma unroll
                for (int f = 0; f < DIM / 8; f++) {
                    __syncwarp();  // keeps the compiler from loading all columns at once, for which there are no registers
#pragma unroll
                    for (int second = 0; second < 2; second++) {
                        const int column = column0 + 8 * f + second;
                        if (there && column < p.value_dim) {
                            const float o = output.first[offset + column];
                            float& x = out[m][f][2 * half + second];
                            x = fmaf(-mean, o, x);
                            if (p.d_output) {
                                const float gradient = to_float(d_output.first[offset + column]);
                                delta = fmaf(gradient, o, delta);
                                delta_tangent = fmaf(gradient, x, delta_tangent);
                            }
                            if (p.d_output_tangent) {
                                delta_tangent = fmaf(to_float(d_output_tangent.first[offset + column]), o, delta_tangent);
                            }
                        }
                    }
                }
                delta = row_sum(delta);
                delta_tangent = row_sum(delta_tangent);
                if (there && threadIdx.x % 4 == 0) {
                    p.log_sum_exp_tangent[index] = mean + centre;
                    if (p.d_output) {
                        p.delta[index] = delta - (p.d_log_sum_exp ? p.d_log_sum_exp[index] : 0);
                        p.delta_tangent[index] = delta_tangent - (p.d_log_sum_exp_tangent ? p.d_log_sum_exp_tangent[index] : 0);
                    }
                }
            }
        }
    }
};
