// SPDX-License-Identifier: Apache-2.0
// The tangent of attention's output and log-sum-exp, and what the tangents of the backward need of a row; the formula is in
// tangent.cuh.
#include "jvp.cuh"

// A block has a tile of queries of one head and walks over its keys.
template <class T, class TILING, class Problem>
__device__ void attention_jvp(const Problem& p) {
    constexpr int DIM = TILING::DIM, M = TILING::M, N = TILING::MOVING, PITCH = TILE_PITCH<T, DIM>, BATCH = 4;
    SHARED_DYNAMIC(float4, attention_memory);
    T* const query_smem = reinterpret_cast<T*>(attention_memory);          // [ROWS]
    T* const query_tangent_smem = query_smem + TILING::ROWS * PITCH;       // [ROWS]
    T* const moving_smem = query_tangent_smem + TILING::ROWS * PITCH;      // [BATCH][N]

    const StationaryRows<TILING> at(p.heads, p.queries);
    const Team team{int(threadIdx.x), TILING::THREADS};
    const Mask mask(p, at.batch);
    const Span keys = mask.keys_of(at.block), warp_keys = mask.keys_of(at.warp);
    const int key_head = at.head / p.group;
    const MovingPair<T, DIM, N> key{moving_smem, key_rows<const T>(p, p.key, at.batch, key_head),
                                    key_rows<const T>(p, p.key_tangent, at.batch, key_head).first, team};
    const MovingPair<T, DIM, N> value{moving_smem + 2 * N * PITCH,
                                      value_rows<const T>(p, p.value, at.batch, key_head),
                                      value_rows<const T>(p, p.value_tangent, at.batch, key_head).first, team};
    const int own = at.warp_row * PITCH;
#pragma unroll 1  // half the code
    for (int i = 0; i < 2; i++) {
        load_tile<T, DIM>(i ? query_tangent_smem : query_smem,
                          query_rows<const T>(p, i ? p.query_tangent : p.query, at.batch, at.head), at.block.first, TILING::ROWS,
                          p.queries, team);
    }
    const auto seen = [&](int key0) { return TILING::WARPS == 1 || (key0 < warp_keys.last && key0 + N > warp_keys.first); };
    {
        JvpCentres<T, DIM, M, N> centres(p, at.head_index, at.warp.first);
        for (int key0 = keys.first / N * N; key0 < keys.last && __syncthreads_or(centres.missing); key0 += BATCH * N) {
            load_tile<T, DIM>(moving_smem, key.rows, key0, BATCH * N, keys.last, team);
            async_commit();
            async_wait<0>();
            __syncthreads();
            for (int i = 0; i < BATCH && centres.missing; i++) {
                if (seen(key0 + i * N)) {
                    centres.step(p, mask, at.head_index, at.warp.first, key0 + i * N, query_smem + own, moving_smem + i * N * PITCH);
                }
            }
        }
        centres.finish(p, at.head_index, at.warp.first, query_smem + own, query_tangent_smem + own, key.rows.first, key.tangent,
                       p.key_row_stride);
    }
    JvpQueries<T, DIM, M, N> rows;
    float s[M][N / 8][4], t[M][N / 8][4];
#pragma unroll 1
    for (bool careful = false;; careful = true) {
        for_each_pair<false>(
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
            [&](int key0, bool guarded) {
                if (seen(key0)) {
                    rows.weigh(s, t, p, mask, at.head_index, at.warp.first, key0, mask.all(at.warp, {key0, key0 + N}));
                    accumulate<T, DIM, M, N>(rows.out, t, value.rows_smem, guarded || careful, p.products());
                    accumulate<T, DIM, M, N>(rows.out, s, value.tangent_smem(), guarded || careful, p.products());
                }
            },
            [](int, bool) {});
        if (!CAN_BE_CAREFUL<T> || careful || !__syncthreads_or(has_nan(rows.out))) {
            break;
        }
        rows = {};
    }
    rows.finish(p, at.batch, at.head, at.head_index, at.warp.first);
    store_rows<T, DIM>(output_rows<T>(p, p.output_tangent, at.batch, at.head), at.warp.first, 0, rows.out, RowFactors<M>(1).of,
                       query_smem + own);
}

#define ATTENTION_JVP(TYPE, NAME, PRECISION, DIM, ROWS, MOVING)                                                                  \
    extern "C" __global__ void __launch_bounds__(Tiling<DIM, ROWS, MOVING>::THREADS, 1)                                          \
        attention_jvp_##NAME##_d##DIM##_r##ROWS##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_jvp<TYPE, Tiling<DIM, ROWS, MOVING>>(p);                                                                       \
    }                                                                                                                            \
    REGISTER_KERNEL(attention_jvp_##NAME##_d##DIM##_r##ROWS##_m##MOVING)

#define ATTENTION_JVP_FLOATS(NAME, PRECISION)          \
    ATTENTION_JVP(float, NAME, PRECISION, 32, 64, 32)  \
    ATTENTION_JVP(float, NAME, PRECISION, 64, 64, 16)  \
    ATTENTION_JVP(float, NAME, PRECISION, 128, 32, 16)
FOR_EACH_PRECISION(ATTENTION_JVP_FLOATS)
ATTENTION_JVP(float, f32, FLOAT32, 256, 16, 16)

#define ATTENTION_JVP_16_BIT(TYPE, NAME)             \
    ATTENTION_JVP(TYPE, NAME, FLOAT32, 32, 64, 32)   \
    ATTENTION_JVP(TYPE, NAME, FLOAT32, 64, 64, 32)   \
    ATTENTION_JVP(TYPE, NAME, FLOAT32, 128, 64, 16)  \
    ATTENTION_JVP(TYPE, NAME, FLOAT32, 256, 32, 16)
ATTENTION_JVP_16_BIT(Bf16, bf16)
ATTENTION_JVP_16_BIT(F16, f16)
