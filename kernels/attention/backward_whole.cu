// SPDX-License-Identifier: Apache-2.0
// All gradients of short heads that share no keys in one launch, each head loaded once; the formula is in backward.cuh.
#include "backward.cuh"

template <class T, int DIM, int N, class Problem>
__device__ void attention_backward_whole(const Problem& p) {
    constexpr int PITCH = TILE_PITCH<T, DIM>;
    SHARED_DYNAMIC(float4, attention_memory);
    const WholeHead<N> at(p);
    const int tile = at.rows * PITCH, head_bytes = at.rows * (5 * PITCH * int(sizeof(T)) + QueryScalars::COUNT * int(sizeof(float)));
    T* const query_smem = reinterpret_cast<T*>(reinterpret_cast<char*>(attention_memory) + at.slot * head_bytes);  // [rows]
    T* const key_smem = query_smem + tile;                                           // [rows]
    T* const value_smem = key_smem + tile;                                           // [rows]
    T* const d_output_smem = value_smem + tile;                                      // [rows]
    T* const stage_smem = d_output_smem + tile;                                      // [rows], the gradients' way out
    const QueryScalars query_scalars(reinterpret_cast<float*>(stage_smem + tile), at.rows);  // [QueryScalars][rows]

    const Mask mask(p, at.batch);
    const int64_t scalars = int64_t(at.head_index) * p.queries;
    const int queries_there = at.exists ? p.queries : 0, keys_there = at.exists ? mask.keys : 0;
    load_tile<T, DIM>(query_smem, query_rows<const T>(p, p.query, at.batch, at.head), 0, at.rows, queries_there, at.team);
    load_tile<T, DIM>(key_smem, key_rows<const T>(p, p.key, at.batch, at.head), 0, at.rows, keys_there, at.team);
    load_tile<T, DIM>(value_smem, value_rows<const T>(p, p.value, at.batch, at.head), 0, at.rows, keys_there, at.team);
    load_tile<T, DIM>(d_output_smem, output_rows<const T>(p, p.d_output, at.batch, at.head), 0, at.rows, queries_there, at.team);
    async_commit();
    for (int row = at.team.rank; row < at.rows; row += at.team.size) {
        query_scalars.load_state<T>(row, p, at.head_index, row, queries_there);
    }
    async_wait<0>();
    const bool suspect = !mask.all({0, p.queries}, {0, p.keys})
                         && !(finite_tile<T, DIM>(query_smem, at.rows, at.team) && finite_tile<T, DIM>(key_smem, at.rows, at.team)
                              && finite_tile<T, DIM>(d_output_smem, at.rows, at.team));
    const bool guarded = __syncthreads_or(suspect);

    const int own = at.row0 * PITCH;
    BackwardQueries<T, DIM, 1, N> query_side(p, at.head_index, at.row0);
    row_deltas<T, DIM, 1>(query_side.delta, p, at.batch, at.head, d_output_smem + own, at.row0);

    const Span own_queries{at.row0, min(at.row0 + 16, p.queries)}, keys = mask.keys_of(own_queries);
#pragma unroll 1
    for (bool careful = false;; careful = true) {
        for (int key0 = keys.first / N * N; key0 < keys.last; key0 += N) {
            query_side.step(p, mask, at.row0, key0, mask.all(own_queries, {key0, key0 + N}), guarded, careful, query_smem + own,
                            d_output_smem + own, key_smem + key0 * PITCH, value_smem + key0 * PITCH);
        }
        if (!CAN_BE_CAREFUL<T> || careful || !__any_sync(0xFFFFFFFF, has_nan(query_side.d_query))) {
            break;
        }
        query_side.clear();
    }
    query_side.fit(p, at.head_index, at.row0, key_smem, PITCH);
    if (threadIdx.x % 4 == 0) {
        query_scalars.delta_smem[at.row0 + lane_row(0, 0)] = query_side.delta[0][0];
        query_scalars.delta_smem[at.row0 + lane_row(0, 1)] = query_side.delta[0][1];
    }
    __syncthreads();  // D of all rows is there
    if (p.sink) {
        for (int row = at.team.rank; row < queries_there; row += at.team.size) {
            p.delta[scalars + row] = query_scalars.delta_smem[row];
        }
    }
    if (at.exists) {
        query_side.finish(p, query_rows<T>(p, p.d_query, at.batch, at.head), at.row0, stage_smem + own);
    }

    const Span own_keys{at.row0, min(at.row0 + 16, p.keys)}, queries = mask.queries_of(own_keys);
    BackwardKeys<T, DIM, 1, N, DIM / 8> key_side;
#pragma unroll 1
    for (bool careful = false;; careful = true) {
        for (int row0 = queries.first / N * N; row0 < queries.last; row0 += N) {
            key_side.step(p, mask, at.row0, row0, mask.all({row0, row0 + N}, own_keys), guarded, careful, 0, key_smem + own,
                          value_smem + own, query_smem + row0 * PITCH, d_output_smem + row0 * PITCH, query_scalars.from(row0));
        }
        if (careful || !__any_sync(0xFFFFFFFF, has_nan(key_side.d_key) || has_nan(key_side.d_value))) {
            break;
        }
        key_side = {};
    }
    if (at.exists) {
        key_side.finish(p, key_rows<T>(p, p.d_key, at.batch, at.head), value_rows<T>(p, p.d_value, at.batch, at.head), at.row0, 0,
                        stage_smem + own);
    }
}

#define ATTENTION_BACKWARD_WHOLE(TYPE, NAME, PRECISION, DIM, MOVING)                                                              \
    extern "C" __global__ void __launch_bounds__((WHOLE_HEAD_THREADS<TYPE, DIM, MOVING, 5, QueryScalars::COUNT>), 1)              \
        attention_backward_whole_##NAME##_d##DIM##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_backward_whole<TYPE, DIM, MOVING>(p);                                                                           \
    }                                                                                                                             \
    REGISTER_KERNEL(attention_backward_whole_##NAME##_d##DIM##_m##MOVING)

#define ATTENTION_BACKWARD_WHOLE_ALL(TYPE, NAME, PRECISION)  \
    ATTENTION_BACKWARD_WHOLE(TYPE, NAME, PRECISION, 16, 16)  \
    ATTENTION_BACKWARD_WHOLE(TYPE, NAME, PRECISION, 32, 16)  \
    ATTENTION_BACKWARD_WHOLE(TYPE, NAME, PRECISION, 32, 32)  \
    ATTENTION_BACKWARD_WHOLE(TYPE, NAME, PRECISION, 64, 32)
#define ATTENTION_BACKWARD_WHOLE_FLOATS(NAME, PRECISION)      \
    ATTENTION_BACKWARD_WHOLE(float, NAME, PRECISION, 16, 32)  \
    ATTENTION_BACKWARD_WHOLE_ALL(float, NAME, PRECISION)
FOR_EACH_PRECISION(ATTENTION_BACKWARD_WHOLE_FLOATS)
ATTENTION_BACKWARD_WHOLE_ALL(Bf16, bf16, FLOAT32)
ATTENTION_BACKWARD_WHOLE_ALL(F16, f16, FLOAT32)
