// SPDX-License-Identifier: Apache-2.0
// The tangents of dK and dV, given r, D and e from jvp.cu; the formula is in tangent.cuh.
#include "tangent.cuh"

// A block has a tile of keys of one head, and walks over the queries of the heads that share it, one head after the other.
// Where the accumulators for DIM columns of dK. and dV. would not fit into registers, PARTS blocks compute the same scores
// and a part of the columns each.
template <class T, class TILING, int PARTS, bool PHASED, class Problem>
__device__ void attention_tangent_columns(const Problem& p) {
    static_assert(!PHASED || TILING::THREADS == 32);
    constexpr int DIM = TILING::DIM, M = TILING::M, N = TILING::MOVING, PITCH = TILE_PITCH<T, DIM>, TILE = TILING::ROWS * PITCH;
    SHARED_DYNAMIC(float4, attention_memory);
    T* const key_smem = reinterpret_cast<T*>(attention_memory);  // [ROWS]
    T* const key_tangent_smem = key_smem + TILE;                 // [ROWS]
    T* const value_smem = key_tangent_smem + TILE;               // [ROWS]
    T* const value_tangent_smem = value_smem + TILE;             // [ROWS]
    T* const moving_smem = value_tangent_smem + TILE;            // [4][N], [2][N] if PHASED
    T* const d_output_smem = moving_smem + (PHASED ? 0 : 2 * N * PITCH);

    const StationaryRows<TILING> at(p.heads / p.group, p.keys, PARTS);
    const int column0 = at.part * (DIM / PARTS);
    const Team team{int(threadIdx.x), TILING::THREADS};
    const Mask mask(p, at.batch);
    const Span queries = mask.queries_of(at.block), warp_queries = mask.queries_of(at.warp);
    const int own = at.warp_row * PITCH;
#pragma unroll 1  // a quarter of the code
    for (int i = 0; i < 4; i++) {
        const void* array = i == 0 ? p.key : i == 1 ? p.key_tangent : i == 2 ? p.value : p.value_tangent;
        const auto array_rows =
            i < 2 ? key_rows<const T>(p, array, at.batch, at.head) : value_rows<const T>(p, array, at.batch, at.head);
        load_tile<T, DIM>(key_smem + i * TILE, array_rows, at.block.first, TILING::ROWS, p.keys, team);
    }
    TangentKeys<T, DIM, M, N, DIM / PARTS / 8> rows;
    float s[M][N / 8][4], t[M][N / 8][4], d[M][N / 8][4], w[M][N / 8][4];
    const auto seen = [&](int row0) { return TILING::WARPS == 1 || (row0 < warp_queries.last && row0 + N > warp_queries.first); };
#pragma unroll 1
    for (bool careful = false;; careful = true) {
#pragma unroll 1
        for (int member = 0; member < p.group; member++) {
            const int head = at.head * p.group + member;
            const MovingPair<T, DIM, N> query{moving_smem, query_rows<const T>(p, p.query, at.batch, head),
                                              query_rows<const T>(p, p.query_tangent, at.batch, head).first, team};
            const MovingPair<T, DIM, N> d_output{
                d_output_smem, output_rows<const T>(p, p.d_output, at.batch, head),
                p.d_output_tangent ? output_rows<const T>(p, p.d_output_tangent, at.batch, head).first : nullptr, team};
            const TangentScalars<true> scalars(p, at.batch * p.heads + head);
            for_each_pair<PHASED>(
                queries, N, query, d_output, [&](int row0) { return !mask.all({row0, row0 + N}, at.block); },
                [&](int row0) {
                    if (seen(row0)) {
                        clear(s);
                        clear(t);
                        multiply_transposed_pairs<T, DIM, M, N>(s, t, key_smem + own, key_tangent_smem + own, query.rows_smem,
                                                                query.tangent_smem(), depth(p.head_dim), p.products());
                        if constexpr (KEYS_CAN_BE_CAREFUL<T, DIM>) {
                            if (careful) {
                                repair_pairs<T, DIM, M, N>(s, t, key_smem + own, key_tangent_smem + own, query.rows_smem,
                                                           query.tangent_smem(), depth(p.head_dim), p.products());
                            }
                        }
                    }
                },
                [&](int row0, bool guarded) {
                    if (seen(row0)) {
                        rows.start(d, w, scalars, row0, p.queries);
                        multiply_transposed_pairs<T, DIM, M, N>(d, w, value_smem + own, value_tangent_smem + own, d_output.rows_smem,
                                                                d_output.tangent_or_null(), depth(p.value_dim), p.products());
                        if constexpr (KEYS_CAN_BE_CAREFUL<T, DIM>) {
                            if (careful) {
                                repair_pairs<T, DIM, M, N>(d, w, value_smem + own, value_tangent_smem + own, d_output.rows_smem,
                                                           d_output.tangent_or_null(), depth(p.value_dim), p.products());
                            }
                        }
                        rows.weigh(s, t, d, w, p, mask, scalars, at.warp.first, row0, !careful && mask.all({row0, row0 + N}, at.warp));
                        accumulate<T, DIM, M, N>(rows.d_value, t, d_output.rows_smem + column0, guarded || careful, p.products());
                        if (d_output.has_tangent()) {
                            accumulate<T, DIM, M, N>(rows.d_value, s, d_output.tangent_smem() + column0, guarded || careful, p.products());
                        }
                    }
                },
                [&](int row0, bool guarded) {
                    if (seen(row0)) {
                        accumulate<T, DIM, M, N>(rows.d_key, w, query.rows_smem + column0, guarded || careful, p.products());
                        accumulate<T, DIM, M, N>(rows.d_key, d, query.tangent_smem() + column0, guarded || careful, p.products());
                    }
                });
        }
        if (!KEYS_GO_TWICE<T, DIM> || careful || !__syncthreads_or(has_nan(rows.d_key) || has_nan(rows.d_value))) {
            break;
        }
        rows = {};
    }
    store_rows<T, DIM>(key_rows<T>(p, p.d_key, at.batch, at.head), at.warp.first, column0, rows.d_key, RowFactors<M>(p.scale).of,
                       key_smem + own);
    store_rows<T, DIM>(value_rows<T>(p, p.d_value, at.batch, at.head), at.warp.first, column0, rows.d_value, RowFactors<M>(1).of,
                       key_smem + own);
}

#define ATTENTION_TANGENT_COLUMNS(TYPE, NAME, PRECISION, DIM, ROWS, MOVING, PARTS, PHASED)                                                   \
    extern "C" __global__ void __launch_bounds__(Tiling<DIM, ROWS, MOVING>::THREADS, 1)                                                      \
        attention_tangent_columns_##NAME##_d##DIM##_r##ROWS##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_tangent_columns<TYPE, Tiling<DIM, ROWS, MOVING>, PARTS, PHASED>(p);                                                        \
    }                                                                                                                                        \
    REGISTER_KERNEL(attention_tangent_columns_##NAME##_d##DIM##_r##ROWS##_m##MOVING)

#define ATTENTION_TANGENT_COLUMNS_FLOATS(NAME, PRECISION)                    \
    ATTENTION_TANGENT_COLUMNS(float, NAME, PRECISION, 32, 64, 32, 1, false)  \
    ATTENTION_TANGENT_COLUMNS(float, NAME, PRECISION, 64, 64, 16, 1, false)  \
    ATTENTION_TANGENT_COLUMNS(float, NAME, PRECISION, 128, 32, 16, 1, false)
FOR_EACH_PRECISION(ATTENTION_TANGENT_COLUMNS_FLOATS)
ATTENTION_TANGENT_COLUMNS(float, f32, FLOAT32, 256, 16, 16, 2, true)

#define ATTENTION_TANGENT_COLUMNS_16_BIT(TYPE, NAME)                       \
    ATTENTION_TANGENT_COLUMNS(TYPE, NAME, FLOAT32, 32, 64, 32, 1, false)   \
    ATTENTION_TANGENT_COLUMNS(TYPE, NAME, FLOAT32, 64, 64, 32, 1, false)   \
    ATTENTION_TANGENT_COLUMNS(TYPE, NAME, FLOAT32, 128, 64, 16, 1, false)  \
    ATTENTION_TANGENT_COLUMNS(TYPE, NAME, FLOAT32, 256, 32, 16, 2, false)
ATTENTION_TANGENT_COLUMNS_16_BIT(Bf16, bf16)
ATTENTION_TANGENT_COLUMNS_16_BIT(F16, f16)
