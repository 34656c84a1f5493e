// SPDX-License-Identifier: Apache-2.0
// The tangent of the backward where all of a head fits into shared memory and shares no keys: what jvp.cu, tangent_rows.cu and
// tangent_columns.cu do, in one launch that loads everything once. The formula is in tangent.cuh.
#include "jvp.cuh"

// The tiles of a head, each of as many rows; d_output_tangent_smem is null if there is none.
template <class T, int DIM>
struct HeadTiles {
    T *query_smem, *query_tangent_smem, *key_smem, *key_tangent_smem, *value_smem, *value_tangent_smem, *d_output_smem,
        *d_output_tangent_smem;

    __device__ HeadTiles(T* memory_smem, int tile, bool has_d_output_tangent)
        : query_smem(memory_smem), query_tangent_smem(query_smem + tile), key_smem(query_tangent_smem + tile),
          key_tangent_smem(key_smem + tile), value_smem(key_tangent_smem + tile), value_tangent_smem(value_smem + tile),
          d_output_smem(value_tangent_smem + tile), d_output_tangent_smem(has_d_output_tangent ? d_output_smem + tile : nullptr) {}
};

// Of a head, at most: more threads would have fewer registers than the walks take.
constexpr int TANGENT_ROWS = 128;

// Inlined, however long: the address of a kernel's parameters is one that older PTX cannot pass on.
template <class T, int DIM, int N, class Problem>
__device__ __forceinline__ void attention_tangent_whole(const Problem& p) {
    constexpr int PITCH = TILE_PITCH<T, DIM>, TILES = 8;
    SHARED_DYNAMIC(float4, attention_memory);
    const WholeHead<N> at(p);
    const HeadTiles<T, DIM> tiles(reinterpret_cast<T*>(attention_memory) + at.slot * TILES * at.rows * PITCH, at.rows * PITCH,
                                  p.d_output_tangent);
    const Mask mask(p, at.batch);
    const int queries = at.exists ? p.queries : 0, keys = at.exists ? mask.keys : 0;
#pragma unroll 1  // an eighth of the code
    for (int i = 0; i < TILES - !p.d_output_tangent; i++) {
        const Rows<const T> rows = i == 0   ? query_rows<const T>(p, p.query, at.batch, at.head)
                                   : i == 1 ? query_rows<const T>(p, p.query_tangent, at.batch, at.head)
                                   : i == 2 ? key_rows<const T>(p, p.key, at.batch, at.head)
                                   : i == 3 ? key_rows<const T>(p, p.key_tangent, at.batch, at.head)
                                   : i == 4 ? value_rows<const T>(p, p.value, at.batch, at.head)
                                   : i == 5 ? value_rows<const T>(p, p.value_tangent, at.batch, at.head)
                                   : i == 6 ? output_rows<const T>(p, p.d_output, at.batch, at.head)
                                            : output_rows<const T>(p, p.d_output_tangent, at.batch, at.head);
        load_tile<T, DIM>(tiles.query_smem + i * at.rows * PITCH, rows, 0, at.rows, i < 2 || i > 5 ? queries : keys, at.team);
    }
    async_commit();
    async_wait<0>();
    bool suspect = false;
    if (!mask.all({0, p.queries}, {0, p.keys})) {
        for (int i = 0; i < TILES - !p.d_output_tangent; i++) {
            suspect |= !finite_tile<T, DIM>(tiles.query_smem + i * at.rows * PITCH, at.rows, at.team);
        }
    }
    const bool guarded = __syncthreads_or(suspect);
    constexpr int CAREFUL = 2;  // in one register with `guarded`, of which there are none to spare

    const int own = at.row0 * PITCH;
    const Span own_queries{at.row0, min(at.row0 + 16, p.queries)}, own_keys{at.row0, min(at.row0 + 16, p.keys)};
    const Span visible_keys = at.exists ? mask.keys_of(own_queries) : Span{0, 0};
    const int head_depth = depth(p.head_dim), value_depth = depth(p.value_dim);
    const RowFactors<1> one(1), scale(p.scale);
    if (at.exists) {
        JvpCentres<T, DIM, 1, N> centres(p, at.head_index, at.row0);
#pragma unroll 1
        for (int key0 = visible_keys.first / N * N; key0 < visible_keys.last && centres.missing; key0 += N) {
            centres.step(p, mask, at.head_index, at.row0, key0, tiles.query_smem + own, tiles.key_smem + key0 * PITCH);
        }
        centres.finish(p, at.head_index, at.row0, tiles.query_smem + own, tiles.query_tangent_smem + own, tiles.key_smem,
                       tiles.key_tangent_smem, PITCH);
        JvpQueries<T, DIM, 1, N> rows;
#pragma unroll 1
        for (bool careful = false;; careful = true) {
            for (int key0 = visible_keys.first / N * N; key0 < visible_keys.last; key0 += N) {
                const int other = key0 * PITCH;
                float s[1][N / 8][4] = {}, t[1][N / 8][4] = {};
                multiply_pairs<T, DIM, 1, N>(s, t, tiles.query_smem + own, tiles.query_tangent_smem + own, tiles.key_smem + other,
                                             tiles.key_tangent_smem + other, head_depth, p.products());
                if constexpr (CAN_BE_CAREFUL<T>) {
                    if (careful) {
                        repair_pairs<T, DIM, 1, N>(s, t, tiles.query_smem + own,
                                                   tiles.query_tangent_smem + own, tiles.key_smem + other,
                                                   tiles.key_tangent_smem + other, head_depth, p.products());
                    }
                }
                rows.weigh(s, t, p, mask, at.head_index, at.row0, key0, mask.all(own_queries, {key0, key0 + N}));
                accumulate<T, DIM, 1, N>(rows.out, t, tiles.value_smem + other, guarded || careful, p.products());
                accumulate<T, DIM, 1, N>(rows.out, s, tiles.value_tangent_smem + other, guarded || careful, p.products());
            }
            if (!CAN_BE_CAREFUL<T> || careful || !__any_sync(0xFFFFFFFF, has_nan(rows.out))) {
                break;
            }
            rows = {};
        }
        rows.finish(p, at.batch, at.head, at.head_index, at.row0);
        store_fragments<T>(output_rows<T>(p, p.output_tangent, at.batch, at.head), at.row0, rows.out, one.of);
    }
    __syncwarp();  // r, D and e of this warp's rows are there
    if (at.exists) {
        TangentQueries<T, DIM, 1, N, DIM / 8> rows(p, at.head_index, at.row0);
        const T* d_output_tangent_smem = tiles.d_output_tangent_smem ? tiles.d_output_tangent_smem + own : nullptr;
#pragma unroll 1
        for (bool careful = false;; careful = true) {
            for (int key0 = visible_keys.first / N * N; key0 < visible_keys.last; key0 += N) {
                const int other = key0 * PITCH;
                float s[1][N / 8][4] = {}, t[1][N / 8][4] = {}, d[1][N / 8][4], w[1][N / 8][4];
                rows.start(d, w);
                multiply_pairs<T, DIM, 1, N>(s, t, tiles.query_smem + own, tiles.query_tangent_smem + own, tiles.key_smem + other,
                                             tiles.key_tangent_smem + other, head_depth, p.products());
                multiply_pairs<T, DIM, 1, N>(d, w, tiles.d_output_smem + own, d_output_tangent_smem, tiles.value_smem + other,
                                             tiles.value_tangent_smem + other, value_depth, p.products());
                if constexpr (CAN_BE_CAREFUL<T>) {
                    if (careful) {
                        repair_pairs<T, DIM, 1, N>(s, t, tiles.query_smem + own,
                                                   tiles.query_tangent_smem + own, tiles.key_smem + other,
                                                   tiles.key_tangent_smem + other, head_depth, p.products());
                        repair_pairs<T, DIM, 1, N>(
                            d, w, tiles.d_output_smem + own, d_output_tangent_smem, tiles.value_smem + other,
                            tiles.value_tangent_smem + other, value_depth, p.products());
                    }
                }
                rows.weigh(s, t, d, w, p, mask, at.row0, key0, mask.all(own_queries, {key0, key0 + N}));
                accumulate<T, DIM, 1, N>(rows.d_query, w, tiles.key_smem + other, guarded || careful, p.products());
                accumulate<T, DIM, 1, N>(rows.d_query, d, tiles.key_tangent_smem + other, guarded || careful, p.products());
            }
            if (!CAN_BE_CAREFUL<T> || careful || !__any_sync(0xFFFFFFFF, has_nan(rows.d_query))) {
                break;
            }
            rows.clear();
        }
        rows.fit(p, at.head_index, at.row0, opaque(at.head), tiles.key_smem, tiles.key_tangent_smem, PITCH, p.head_dim);
        store_fragments<T>(query_rows<T>(p, p.d_query, at.batch, at.head), at.row0, rows.d_query, scale.of);
    }
    __syncthreads();  // r, D and e of all rows are there
    if (!at.exists) {
        return;
    }
    // No registers are left to keep these addresses through a loop: they are found anew where they are used.
    const auto scalars = [&] { return TangentScalars<true>(p, opaque(at.head_index)); };
    const Span visible_queries = mask.queries_of(own_keys);
    TangentKeys<T, DIM, 1, N, DIM / 8> rows;
#pragma unroll 1
    for (int care = guarded;; care = CAREFUL) {
        for (int row0 = visible_queries.first / N * N; row0 < visible_queries.last; row0 += N) {
            const int other = row0 * PITCH;
            const T* d_output_tangent_smem = tiles.d_output_tangent_smem ? tiles.d_output_tangent_smem + other : nullptr;
            float s[1][N / 8][4] = {}, t[1][N / 8][4] = {}, d[1][N / 8][4], w[1][N / 8][4];
            rows.start(d, w, scalars(), row0, p.queries);
            multiply_transposed_pairs<T, DIM, 1, N>(s, t, tiles.key_smem + own, tiles.key_tangent_smem + own,
                                                    tiles.query_smem + other, tiles.query_tangent_smem + other, head_depth, p.products());
            multiply_transposed_pairs<T, DIM, 1, N>(d, w, tiles.value_smem + own, tiles.value_tangent_smem + own,
                                                    tiles.d_output_smem + other, d_output_tangent_smem, value_depth, p.products());
            if constexpr (CAN_BE_CAREFUL<T>) {
                if (care == CAREFUL) {
                    repair_pairs<T, DIM, 1, N>(s, t, tiles.key_smem + own, tiles.key_tangent_smem + own,
                                               tiles.query_smem + other, tiles.query_tangent_smem + other, head_depth, p.products());
                    repair_pairs<T, DIM, 1, N>(d, w, tiles.value_smem + own,
                                               tiles.value_tangent_smem + own, tiles.d_output_smem + other, d_output_tangent_smem,
                                               value_depth, p.products());
                }
            }
            rows.weigh(s, t, d, w, p, mask, scalars(), at.row0, row0, care != CAREFUL && mask.all({row0, row0 + N}, own_keys));
            accumulate<T, DIM, 1, N>(rows.d_value, t, tiles.d_output_smem + other, care != 0, p.products());
            if (d_output_tangent_smem) {
                accumulate<T, DIM, 1, N>(rows.d_value, s, d_output_tangent_smem, care != 0, p.products());
            }
            accumulate<T, DIM, 1, N>(rows.d_key, w, tiles.query_smem + other, care != 0, p.products());
            accumulate<T, DIM, 1, N>(rows.d_key, d, tiles.query_tangent_smem + other, care != 0, p.products());
        }
        if (care == CAREFUL || !__any_sync(0xFFFFFFFF, has_nan(rows.d_key) || has_nan(rows.d_value))) {
            break;
        }
        rows = {};
    }
    const int batch = opaque(at.head_index) / p.heads, head = opaque(at.head_index) % p.heads;
    store_fragments<T>(key_rows<T>(p, p.d_key, batch, head), at.row0, rows.d_key, scale.of);
    store_fragments<T>(value_rows<T>(p, p.d_value, batch, head), at.row0, rows.d_value, one.of);
}

#define ATTENTION_TANGENT_WHOLE(TYPE, NAME, PRECISION, DIM, MOVING)                                                              \
    extern "C" __global__ void __launch_bounds__((WHOLE_HEAD_THREADS<TYPE, DIM, MOVING, 8, 0, TANGENT_ROWS>), 1)                               \
        attention_tangent_whole_##NAME##_d##DIM##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_tangent_whole<TYPE, DIM, MOVING>(p);                                                                           \
    }                                                                                                                            \
    REGISTER_KERNEL(attention_tangent_whole_##NAME##_d##DIM##_m##MOVING)

#define ATTENTION_TANGENT_WHOLE_ALL(TYPE, NAME, PRECISION)  \
    ATTENTION_TANGENT_WHOLE(TYPE, NAME, PRECISION, 16, 16)  \
    ATTENTION_TANGENT_WHOLE(TYPE, NAME, PRECISION, 32, 32)  \
    ATTENTION_TANGENT_WHOLE(TYPE, NAME, PRECISION, 64, 32)
#define ATTENTION_TANGENT_WHOLE_FLOATS(NAME, PRECISION)      \
    ATTENTION_TANGENT_WHOLE(float, NAME, PRECISION, 16, 32)  \
    ATTENTION_TANGENT_WHOLE_ALL(float, NAME, PRECISION)
FOR_EACH_PRECISION(ATTENTION_TANGENT_WHOLE_FLOATS)
ATTENTION_TANGENT_WHOLE_ALL(Bf16, bf16, FLOAT32)
ATTENTION_TANGENT_WHOLE_ALL(F16, f16, FLOAT32)
