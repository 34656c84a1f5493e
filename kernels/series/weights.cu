// SPDX-License-Identifier: Apache-2.0
// Scores on their way to probabilities, of some queries, to be looked at: one tile of them per block.
#include "series.cuh"

enum WeightsStage { SCORES, SOFTCAP, MASKED, PROBABILITIES };

// grid.x = batch * heads * tiles of the queries asked for * tiles of keys
extern "C" __global__ void __launch_bounds__(SERIES_THREADS, 2) attention_series_weights(
    const __grid_constant__ AttentionSeriesParams p) {
    constexpr int TILE = 32;
    using S = Series<TILE, 1, false>;
    SHARED_DYNAMIC(float, memory_smem);
    S s(p, memory_smem, 0);
    const SeriesPlace place(p.asked, TILE, (p.keys + TILE - 1) / TILE);
    const int query0 = p.first_query + place.tile * TILE, key0 = place.part * TILE;
    s.set_head(place.head_index);
    s.describe_queries(query0);
    s.compare(s.first_smem, p.query, s.queries(), query0, p.key, s.keys(), key0, p.euclidean);
    s.each_pair([&](int row, int column) {
        const int query = query0 + row, key = key0 + column, e = row * S::PITCH + column;
        if (query >= p.first_query + p.asked || key >= p.keys) {
            return;
        }
        float x;
        if (p.stage <= SOFTCAP) {
            if (p.stage == SOFTCAP) {
                s.scale_and_bias(s.first_smem + e, row, query, key);
                if (p.softcap > 0) {
                    s.cap(s.scores() + e, s.first_smem + e, s.slope_smem + e);
                }
                x = s.scores()[e];
            } else {
                x = p.scale * s.first_smem[e];
            }
        } else {
            const bool sees = s.finish_scores(row, column, query0, key0);
            x = sees ? s.scores()[e] : -INFINITY;
            if (p.stage == PROBABILITIES) {
                const int64_t index = s.row_index(query);
                x = sees ? expf(x - p.maximum[index]) / p.sum[index] : 0;
            }
        }
        p.weights[((int64_t(s.batch) * p.heads + s.head) * p.asked + query - p.first_query) * p.keys + key] = x;
    });
}
REGISTER_KERNEL(attention_series_weights)
