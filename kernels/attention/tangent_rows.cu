// SPDX-License-Identifier: Apache-2.0
// The tangent of dQ, given r, D and e from jvp.cu; the formula is in tangent.cuh.
#include "tangent.cuh"

// A block has a tile of queries of one head and walks over its keys. Where the accumulators for DIM columns of dQ. would
// not fit into registers, PARTS blocks compute the same scores and a part of the columns each.
template <class T, class TILING, int PARTS, bool PHASED, class Problem>
__device__ void attention_tangent_rows(const Problem& p) {
    static_assert(!PHASED || TILING::THREADS == 32);
    constexpr int DIM = TILING::DIM, M = TILING::M, N = TILING::MOVING, PITCH = TILE_PITCH<T, DIM>, TILE = TILING::ROWS * PITCH;
    SHARED_DYNAMIC(float4, attention_memory);
    T* const query_smem = reinterpret_cast<T*>(attention_memory);  // [ROWS]
    T* const query_tangent_smem = query_smem + TILE;               // [ROWS]
    T* const d_output_smem = query_tangent_smem + TILE;            // [ROWS]
    T* const d_output_tangent_smem = d_output_smem + TILE;         // [ROWS]
    T* const moving_smem = d_output_tangent_smem + TILE;           // [4][N], [2][N] if PHASED
    T* const value_smem = moving_smem + (PHASED ? 0 : 2 * N * PITCH);

    const StationaryRows<TILING> at(p.heads, p.queries, PARTS);
    const int column0 = at.part * (DIM / PARTS);
    const Team team{int(threadIdx.x), TILING::THREADS};
    const Mask mask(p, at.batch);
    const Span keys = mask.keys_of(at.block), warp_keys = mask.keys_of(at.warp);
    const int key_head = at.head / p.group;
    const MovingPair<T, DIM, N> key{moving_smem, key_rows<const T>(p, p.key, at.batch, key_head),
                                    key_rows<const T>(p, p.key_tangent, at.batch, key_head).first, team};
    const MovingPair<T, DIM, N> value{value_smem, value_rows<const T>(p, p.value, at.batch, key_head),
                                      value_rows<const T>(p, p.value_tangent, at.batch, key_head).first, team};
    const int own = at.warp_row * PITCH;
#pragma unroll 1  // a quarter of the code
    for (int i = 0; i < (p.d_output_tangent ? 4 : 3); i++) {
        const void* array = i == 0 ? p.query : i == 1 ? p.query_tangent : i == 2 ? p.d_output : p.d_output_tangent;
        const auto array_rows =
            i < 2 ? query_rows<const T>(p, array, at.batch, at.head) : output_rows<const T>(p, array, at.batch, at.head);
        load_tile<T, DIM>(query_smem + i * TILE, array_rows, at.block.first, TILING::ROWS, p.queries, team);
    }
    TangentQueries<T, DIM, M, N, DIM / PARTS / 8> rows(p, at.head_index, at.warp.first);
    float s[M][N / 8][4], t[M][N / 8][4], d[M][N / 8][4], w[M][N / 8][4];
    const auto seen = [&](int key0) { return TILING::WARPS == 1 || (key0 < warp_keys.last && key0 + N > warp_keys.first); };
#pragma unroll 1
    for (bool careful = false;; careful = true) {
        for_each_pair<PHASED>(
            keys, N, key, value, [&](int key0) { return !mask.all(at.block, {key0, key0 + N}); },
            [&](int key0) {
                if (seen(key0)) {
                    clear(s);
                    clear(t);
                    multiply_pairs<T, DIM, M, N>(s, t, query_smem + own, query_tangent_smem + own, key.rows_smem,
                                                 key.tangent_smem(), depth(p.head_dim), p.products());
                    if constexpr (CAN_BE_CAREFUL<T>) {
                        if (careful) {
                            repair_pairs<T, DIM, M, N>(s, t, query_smem + own, query_tangent_smem + own, key.rows_smem,
                                                       key.tangent_smem(), depth(p.head_dim), p.products());
                        }
                    }
                }
            },
            [&](int key0, bool) {
                if (seen(key0)) {
                    const T* const tangent_or_null = p.d_output_tangent ? d_output_tangent_smem + own : nullptr;
                    rows.start(d, w);
                    multiply_pairs<T, DIM, M, N>(d, w, d_output_smem + own, tangent_or_null, value.rows_smem,
                                                 value.tangent_smem(), depth(p.value_dim), p.products());
                    if constexpr (CAN_BE_CAREFUL<T>) {
                        if (careful) {
                            repair_pairs<T, DIM, M, N>(d, w, d_output_smem + own, tangent_or_null, value.rows_smem,
                                                       value.tangent_smem(), depth(p.value_dim), p.products());
                        }
                    }
                    rows.weigh(s, t, d, w, p, mask, at.warp.first, key0, mask.all(at.warp, {key0, key0 + N}));
                }
            },
            [&](int key0, bool guarded) {
                if (seen(key0)) {
                    accumulate<T, DIM, M, N>(rows.d_query, w, key.rows_smem + column0, guarded || careful, p.products());
                    accumulate<T, DIM, M, N>(rows.d_query, d, key.tangent_smem() + column0, guarded || careful, p.products());
                }
            });
        if (!CAN_BE_CAREFUL<T> || careful || !__syncthreads_or(has_nan(rows.d_query))) {
            break;
        }
        rows.clear();
    }
    rows.fit(p, at.head_index, at.warp.first, opaque(at.head),
             key_rows<const T>(p, p.key, opaque(at.batch), opaque(at.head) / p.group).first + column0,
             key_rows<const T>(p, p.key_tangent, opaque(at.batch), opaque(at.head) / p.group).first + column0, p.key_row_stride,
             p.head_dim - column0);
    store_rows<T, DIM>(query_rows<T>(p, p.d_query, at.batch, at.head), at.warp.first, column0, rows.d_query,
                       RowFactors<M>(p.scale).of, query_smem + own);
}

#define ATTENTION_TANGENT_ROWS(TYPE, NAME, PRECISION, DIM, ROWS, MOVING, PARTS, PHASED)                                                   \
    extern "C" __global__ void __launch_bounds__(Tiling<DIM, ROWS, MOVING>::THREADS, 1)                                                   \
        attention_tangent_rows_##NAME##_d##DIM##_r##ROWS##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_tangent_rows<TYPE, Tiling<DIM, ROWS, MOVING>, PARTS, PHASED>(p);                                                        \
    }                                                                                                                                     \
    REGISTER_KERNEL(attention_tangent_rows_##NAME##_d##DIM##_r##ROWS##_m##MOVING)

#define ATTENTION_TANGENT_ROWS_FLOATS(NAME, PRECISION)                    \
    ATTENTION_TANGENT_ROWS(float, NAME, PRECISION, 32, 64, 32, 1, false)  \
    ATTENTION_TANGENT_ROWS(float, NAME, PRECISION, 64, 64, 16, 1, false)  \
    ATTENTION_TANGENT_ROWS(float, NAME, PRECISION, 128, 32, 16, 1, false)
FOR_EACH_PRECISION(ATTENTION_TANGENT_ROWS_FLOATS)
ATTENTION_TANGENT_ROWS(float, f32, FLOAT32, 256, 16, 16, 2, true)

#define ATTENTION_TANGENT_ROWS_16_BIT(TYPE, NAME)                       \
    ATTENTION_TANGENT_ROWS(TYPE, NAME, FLOAT32, 32, 64, 32, 1, false)   \
    ATTENTION_TANGENT_ROWS(TYPE, NAME, FLOAT32, 64, 64, 32, 1, false)   \
    ATTENTION_TANGENT_ROWS(TYPE, NAME, FLOAT32, 128, 64, 16, 1, false)  \
    ATTENTION_TANGENT_ROWS(TYPE, NAME, FLOAT32, 256, 32, 16, 2, false)
ATTENTION_TANGENT_ROWS_16_BIT(Bf16, bf16)
ATTENTION_TANGENT_ROWS_16_BIT(F16, f16)
