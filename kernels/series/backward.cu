// SPDX-License-Identifier: Apache-2.0
// The gradients of series.cuh for query, key and value, given LSE and D: a block has rows of one of them and walks over the
// rows of the other side.
#include "series.cuh"

// dZ of a tile, in the place of scores.
template <class S>
__device__ void series_gradients(const S& s, int query0, int key0) {
    const AttentionSeriesParams& p = s.p;
    if constexpr (S::KEYS_STAND) {
        s.compare(s.scores(), p.value, s.values(), key0, p.d_output, s.d_outputs(), query0, false);
    } else {
        s.compare(s.scores(), p.d_output, s.d_outputs(), query0, p.value, s.values(), key0, false);
    }
    s.score_gradients(query0, key0);
}

// grid.x = batch * heads * tiles of queries * parts of the queries' columns
template <int TILE, int PLANES>
__device__ void attention_series_rows(const AttentionSeriesParams& p) {
    SHARED_DYNAMIC(float, memory_smem);
    Series<TILE, PLANES, false> s(p, memory_smem, p.columns);
    const SeriesPlace place(p.queries, TILE, (p.head_dim + p.columns - 1) / p.columns);
    const int query0 = place.tile * TILE, column0 = place.part * p.columns;
    s.set_head(place.head_index);
    s.describe_queries(query0);
    s.load_normalizers(query0);
    s.clear_sums(p.columns);
    __syncthreads();
    const uint32_t wanted = given(p.d_query, s.planes);
    const int last = s.last_key(query0);
    for (int key0 = s.first_key(query0) / TILE * TILE; key0 < last; key0 += TILE) {
        s.compare(s.first_smem, p.query, s.queries(), query0, p.key, s.keys(), key0, p.euclidean);
        s.probabilities(query0, key0);
        series_gradients(s, query0, key0);
        s.accumulate(s.scores(), wanted, nullptr, p.key, s.keys(), key0, column0, p.euclidean, p.query, s.queries(), query0);
    }
    s.store_sums(p.d_query, s.queries(), query0, column0, p.euclidean ? 2 * p.scale : p.scale);
}

// grid.x = batch * key_heads * tiles of keys * (parts of the values' columns + parts of the keys' columns)
template <int TILE, int PLANES>
__device__ void attention_series_columns(const AttentionSeriesParams& p) {
    SHARED_DYNAMIC(float, memory_smem);
    Series<TILE, PLANES, true> s(p, memory_smem, p.columns);
    const int value_parts = (p.value_dim + p.columns - 1) / p.columns, key_parts = (p.head_dim + p.columns - 1) / p.columns;
    const SeriesPlace place(p.keys, TILE, value_parts + key_parts);
    const bool for_values = place.part < value_parts;
    const int key0 = place.tile * TILE, column0 = (for_values ? place.part : place.part - value_parts) * p.columns;
    const int group = p.heads / p.key_heads;
    const uint32_t wanted = for_values ? given(p.d_value, s.planes) : given(p.d_key, s.planes);
    s.clear_sums(p.columns);
    for (int member = 0; member < group && wanted; member++) {
        s.set_head(place.head_index * group + member);
        for (int query0 = s.first_query(key0); query0 < p.queries && s.first_key(query0) < key0 + TILE; query0 += TILE) {
            s.describe_queries(query0);
            s.load_normalizers(query0);
            s.compare(s.first_smem, p.key, s.keys(), key0, p.query, s.queries(), query0, p.euclidean);
            s.probabilities(query0, key0);
            if (for_values) {
                s.drop_weights(query0, key0);
                s.accumulate(s.weights(), wanted, nullptr, p.d_output, s.d_outputs(), query0, column0, false, p.d_output,
                             s.d_outputs(), 0);
                continue;
            }
            series_gradients(s, query0, key0);
            s.accumulate(s.scores(), wanted, nullptr, p.query, s.queries(), query0, column0, p.euclidean, p.key, s.keys(), key0);
        }
    }
    __syncthreads();
    s.set_head(place.head_index * group);
    if (for_values) {
        s.store_sums(p.d_value, s.values(), key0, column0, 1);
    } else {
        s.store_sums(p.d_key, s.keys(), key0, column0, p.euclidean ? 2 * p.scale : p.scale);
    }
}

ATTENTION_SERIES_KERNELS(attention_series_rows, attention_series_rows)
ATTENTION_SERIES_KERNELS(attention_series_columns, attention_series_columns)
