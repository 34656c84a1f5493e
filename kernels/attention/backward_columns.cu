// SPDX-License-Identifier: Apache-2.0
// Gradients of the keys and values, given D from backward_rows.cu; the formula is in backward.cuh.
#include "backward.cuh"

// A block has a tile of keys of one head, and walks over the queries of the heads that share it, one head after the other.
// Where the accumulators for DIM columns of dK and dV would not fit into registers, PARTS blocks compute the same scores and
// a part of the columns each.
template <class T, class TILING, int PARTS, class Problem>
__device__ void attention_backward_columns(const Problem& p) {
    constexpr int DIM = TILING::DIM, M = TILING::M, N = TILING::MOVING, PITCH = TILE_PITCH<T, DIM>;
    constexpr int STAGES = STAGES_OF<T, DIM>;
    SHARED_DYNAMIC(float4, attention_memory);
    T* const key_smem = reinterpret_cast<T*>(attention_memory);  // [ROWS]
    T* const value_smem = key_smem + TILING::ROWS * PITCH;       // [ROWS]
    T* const query_smem = value_smem + TILING::ROWS * PITCH;     // [STAGES][N]
    T* const d_output_smem = query_smem + STAGES * N * PITCH;    // [STAGES][N]
    float* const scalars_smem = reinterpret_cast<float*>(d_output_smem + STAGES * N * PITCH);  // [STAGES][QueryScalars][N]
    const auto scalars = [&](int stage) { return QueryScalars(scalars_smem + stage * QueryScalars::COUNT * N, N); };

    const StationaryRows<TILING> at(p.heads / p.group, p.keys, PARTS);
    const int column0 = at.part * (DIM / PARTS);
    const Team team{int(threadIdx.x), TILING::THREADS};
    const Mask mask(p, at.batch);
    const Span queries = mask.queries_of(at.block), warp_queries = mask.queries_of(at.warp);
    T* const own_key_smem = key_smem + at.warp_row * PITCH;
    T* const own_value_smem = value_smem + at.warp_row * PITCH;

    load_tile<T, DIM>(key_smem, key_rows<const T>(p, p.key, at.batch, at.head), at.block.first, TILING::ROWS, p.keys, team);
    load_tile<T, DIM>(value_smem, value_rows<const T>(p, p.value, at.batch, at.head), at.block.first, TILING::ROWS, p.keys, team);
    BackwardKeys<T, DIM, M, N, DIM / PARTS / 8> rows;
#pragma unroll 1
    for (bool careful = false;; careful = true) {
#pragma unroll 1
        for (int member = 0; member < p.group; member++) {
            const int head = at.head * p.group + member;
            // Long rows leave no registers to keep addresses through the loop: they are found anew for each tile.
            const auto batch = [&] { return DIM * sizeof(T) < 512 ? at.batch : opaque(at.batch); };
            const auto query = [&] { return query_rows<const T>(p, p.query, batch(), head); };
            const auto d_output = [&] { return output_rows<const T>(p, p.d_output, batch(), head); };
            for_each_tile<STAGES, N>(
                queries,
                [&](int row0, int stage) {
                    load_tile<T, DIM>(query_smem + stage * N * PITCH, query(), row0, N, queries.last, team);
                    load_tile<T, DIM>(d_output_smem + stage * N * PITCH, d_output(), row0, N, queries.last, team);
                    const int head_index = batch() * p.heads + head;
                    for (int i = team.rank; i < N; i += team.size) {
                        scalars(stage).template load_state<T>(i, p, head_index, row0 + i, queries.last);
                        scalars(stage).delta_smem[i] =
                            row0 + i < queries.last ? p.delta[int64_t(head_index) * p.queries + row0 + i] : 0;
                    }
                },
                [&](int row0, int stage) {
                    return !mask.all({row0, row0 + N}, at.block)
                           && !(finite_tile<T, DIM>(query_smem + stage * N * PITCH, N, team)
                                && finite_tile<T, DIM>(d_output_smem + stage * N * PITCH, N, team));
                },
                [&](int row0, int stage, bool guarded) {
                    if (row0 < warp_queries.last && row0 + N > warp_queries.first) {
                        rows.step(p, mask, at.warp.first, row0, mask.all({row0, row0 + N}, at.warp), guarded, careful, column0,
                                  own_key_smem, own_value_smem, query_smem + stage * N * PITCH,
                                  d_output_smem + stage * N * PITCH, scalars(stage));
                    }
                });
        }
        if (!KEYS_GO_TWICE<T, DIM> || careful || !__syncthreads_or(has_nan(rows.d_key) || has_nan(rows.d_value))) {
            break;
        }
        rows = {};
    }
    rows.finish(p, key_rows<T>(p, p.d_key, at.batch, at.head), value_rows<T>(p, p.d_value, at.batch, at.head), at.warp.first,
                column0, own_key_smem);
}

#define ATTENTION_BACKWARD_COLUMNS(TYPE, NAME, PRECISION, DIM, ROWS, MOVING, PARTS)                                                           \
    extern "C" __global__ void __launch_bounds__(Tiling<DIM, ROWS, MOVING>::THREADS, 1)                                                       \
        attention_backward_columns_##NAME##_d##DIM##_r##ROWS##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_backward_columns<TYPE, Tiling<DIM, ROWS, MOVING>, PARTS>(p);                                                                \
    }                                                                                                                                         \
    REGISTER_KERNEL(attention_backward_columns_##NAME##_d##DIM##_r##ROWS##_m##MOVING)

#define ATTENTION_BACKWARD_COLUMNS_FLOATS(NAME, PRECISION)             \
    ATTENTION_BACKWARD_COLUMNS(float, NAME, PRECISION, 32, 64, 32, 1)  \
    ATTENTION_BACKWARD_COLUMNS(float, NAME, PRECISION, 64, 64, 32, 1)  \
    ATTENTION_BACKWARD_COLUMNS(float, NAME, PRECISION, 128, 64, 16, 1)
FOR_EACH_PRECISION(ATTENTION_BACKWARD_COLUMNS_FLOATS)
ATTENTION_BACKWARD_COLUMNS(float, f32, FLOAT32, 256, 32, 16, 2)

#define ATTENTION_BACKWARD_COLUMNS_16_BIT(TYPE, NAME)                \
    ATTENTION_BACKWARD_COLUMNS(TYPE, NAME, FLOAT32, 32, 64, 32, 1)   \
    ATTENTION_BACKWARD_COLUMNS(TYPE, NAME, FLOAT32, 64, 128, 16, 1)  \
    ATTENTION_BACKWARD_COLUMNS(TYPE, NAME, FLOAT32, 128, 64, 32, 1)  \
    ATTENTION_BACKWARD_COLUMNS(TYPE, NAME, FLOAT32, 256, 64, 16, 2)
ATTENTION_BACKWARD_COLUMNS_16_BIT(Bf16, bf16)
ATTENTION_BACKWARD_COLUMNS_16_BIT(F16, f16)
