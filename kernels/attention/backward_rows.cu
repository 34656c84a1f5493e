// SPDX-License-Identifier: Apache-2.0
// Gradient of the queries, and D for backward_columns.cu; the formula is in backward.cuh.
#include "backward.cuh"

// A block has a tile of queries of one head and walks over its keys and values.
template <class T, class TILING, class Problem>
__device__ void attention_backward_rows(const Problem& p) {
    constexpr int DIM = TILING::DIM, M = TILING::M, N = TILING::MOVING, PITCH = TILE_PITCH<T, DIM>;
    constexpr int STAGES = STAGES_OF<T, DIM>;
    SHARED_DYNAMIC(float4, attention_memory);
    T* const query_smem = reinterpret_cast<T*>(attention_memory);   // [ROWS]
    T* const d_output_smem = query_smem + TILING::ROWS * PITCH;     // [ROWS]
    T* const key_smem = d_output_smem + TILING::ROWS * PITCH;       // [STAGES][N]
    T* const value_smem = key_smem + STAGES * N * PITCH;            // [STAGES][N]

    const StationaryRows<TILING> at(p.heads, p.queries);
    const Team team{int(threadIdx.x), TILING::THREADS};
    const Mask mask(p, at.batch);
    const Span keys = mask.keys_of(at.block), warp_keys = mask.keys_of(at.warp);
    const int64_t scalars = int64_t(at.head_index) * p.queries;
    T* const own_query_smem = query_smem + at.warp_row * PITCH;
    T* const own_d_output_smem = d_output_smem + at.warp_row * PITCH;

    load_tile<T, DIM>(d_output_smem, output_rows<const T>(p, p.d_output, at.batch, at.head), at.block.first, TILING::ROWS,
                      p.queries, team);
    load_tile<T, DIM>(query_smem, query_rows<const T>(p, p.query, at.batch, at.head), at.block.first, TILING::ROWS, p.queries,
                      team);
    async_commit();
    async_wait<0>();
    __syncthreads();
    BackwardQueries<T, DIM, M, N> rows(p, at.head_index, at.warp.first);
    row_deltas<T, DIM, M>(rows.delta, p, at.batch, at.head, own_d_output_smem, at.warp.first);

    const auto key = key_rows<const T>(p, p.key, at.batch, at.head / p.group);
    const auto value = value_rows<const T>(p, p.value, at.batch, at.head / p.group);
#pragma unroll 1
    for (bool careful = false;; careful = true) {
        for_each_tile<STAGES, N>(
            keys,
            [&](int key0, int stage) {
                load_tile<T, DIM>(key_smem + stage * N * PITCH, key, key0, N, keys.last, team);
                load_tile<T, DIM>(value_smem + stage * N * PITCH, value, key0, N, keys.last, team);
            },
            [&](int key0, int stage) {
                return !mask.all(at.block, {key0, key0 + N}) && !finite_tile<T, DIM>(key_smem + stage * N * PITCH, N, team);
            },
            [&](int key0, int stage, bool guarded) {
                if (key0 < warp_keys.last && key0 + N > warp_keys.first) {
                    rows.step(p, mask, at.warp.first, key0, mask.all(at.warp, {key0, key0 + N}), guarded, careful,
                              own_query_smem, own_d_output_smem, key_smem + stage * N * PITCH, value_smem + stage * N * PITCH);
                }
            });
        if (!CAN_BE_CAREFUL<T> || careful || !__syncthreads_or(has_nan(rows.d_query))) {
            break;
        }
        rows.clear();
    }
    rows.fit(p, at.head_index, at.warp.first, key_rows<const T>(p, p.key, opaque(at.batch), opaque(at.head) / p.group).first,
             p.key_row_stride);
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = at.warp.first + lane_row(m, half);
            if (threadIdx.x % 4 == 0 && row < p.queries) {
                p.delta[scalars + row] = rows.delta[m][half];
            }
        }
    }
    rows.finish(p, query_rows<T>(p, p.d_query, at.batch, at.head), at.warp.first, own_query_smem);
}

#define ATTENTION_BACKWARD_ROWS(TYPE, NAME, PRECISION, DIM, ROWS, MOVING)                                                                  \
    extern "C" __global__ void __launch_bounds__(Tiling<DIM, ROWS, MOVING>::THREADS, 1)                                                    \
        attention_backward_rows_##NAME##_d##DIM##_r##ROWS##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_backward_rows<TYPE, Tiling<DIM, ROWS, MOVING>>(p);                                                                       \
    }                                                                                                                                      \
    REGISTER_KERNEL(attention_backward_rows_##NAME##_d##DIM##_r##ROWS##_m##MOVING)

#define ATTENTION_BACKWARD_ROWS_FLOATS(NAME, PRECISION)          \
    ATTENTION_BACKWARD_ROWS(float, NAME, PRECISION, 32, 64, 32)  \
    ATTENTION_BACKWARD_ROWS(float, NAME, PRECISION, 64, 64, 32)  \
    ATTENTION_BACKWARD_ROWS(float, NAME, PRECISION, 128, 64, 16)
FOR_EACH_PRECISION(ATTENTION_BACKWARD_ROWS_FLOATS)
ATTENTION_BACKWARD_ROWS(float, f32, FLOAT32, 256, 32, 16)

#define ATTENTION_BACKWARD_ROWS_16_BIT(TYPE, NAME)             \
    ATTENTION_BACKWARD_ROWS(TYPE, NAME, FLOAT32, 32, 64, 32)   \
    ATTENTION_BACKWARD_ROWS(TYPE, NAME, FLOAT32, 64, 128, 32)  \
    ATTENTION_BACKWARD_ROWS(TYPE, NAME, FLOAT32, 128, 64, 32)  \
    ATTENTION_BACKWARD_ROWS(TYPE, NAME, FLOAT32, 256, 64, 16)
ATTENTION_BACKWARD_ROWS_16_BIT(Bf16, bf16)
ATTENTION_BACKWARD_ROWS_16_BIT(F16, f16)
