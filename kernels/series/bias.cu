// SPDX-License-Identifier: Apache-2.0
// The gradient of series.cuh for the bias: dZ, summed over the pairs that share a number of the bias. For a bias by query and
// key a block owns a tile of the bias' own extents and walks over all tiles of scores that it was added to. For one by
// relative position there are two kernels: sums over a head's pairs at each distance, position of the key less that of the
// query, which is along diagonals, and then over the distances, heads and batch rows that share a number.
#include "../common/rows.cuh"
#include "series.cuh"

// dZ of a tile, in the place of scores.
template <class S>
__device__ void bias_gradients(const S& s, int query0, int key0) {
    s.compare(s.first_smem, s.p.query, s.queries(), query0, s.p.key, s.keys(), key0, s.p.euclidean);
    s.probabilities(query0, key0);
    s.compare(s.scores(), s.p.d_output, s.d_outputs(), query0, s.p.value, s.values(), key0, false);
    s.score_gradients(query0, key0);
}

// Part `index` of an axis of the bias, or all of it where there is but one for all: [first, last).
struct BiasRange {
    int first, last;
    __device__ BiasRange(int index, int extent, int length, int step)
        : first(extent == 1 ? 0 : index * step), last(extent == 1 ? length : min(first + step, length)) {}
};

// grid.x = the bias' batch * heads * tiles of queries * tiles of keys
template <int TILE, int PLANES>
__device__ void attention_series_bias(const AttentionSeriesParams& p) {
    using S = Series<TILE, PLANES, false>;
    SHARED_DYNAMIC(float, memory_smem);
    S s(p, memory_smem, S::PITCH);  // the sums are laid out like scores
    const int extent_q = p.bias_extents[2], extent_k = p.bias_extents[3];
    const int tiles_q = (extent_q + TILE - 1) / TILE, tiles_k = (extent_k + TILE - 1) / TILE;
    const int tile_k = blockIdx.x % tiles_k, tile_q = blockIdx.x / tiles_k % tiles_q;
    const int matrix = blockIdx.x / tiles_k / tiles_q;
    const BiasRange batches(matrix / p.bias_extents[1], p.bias_extents[0], p.batch, 1);
    const BiasRange heads(matrix % p.bias_extents[1], p.bias_extents[1], p.heads, 1);
    const BiasRange queries(tile_q, extent_q, p.queries, TILE);
    const BiasRange keys(tile_k, extent_k, p.keys, TILE);
    s.clear_sums(S::PITCH);
    for (int batch = batches.first; batch < batches.last; batch++) {
        for (int head = heads.first; head < heads.last; head++) {
            s.set_head(int64_t(batch) * p.heads + head);
            for (int query0 = queries.first; query0 < queries.last; query0 += TILE) {
                const int first = max(s.first_key(query0) / TILE * TILE, keys.first);
                const int last = min(s.last_key(query0), keys.last);
                for (int key0 = first; key0 < last; key0 += TILE) {
                    __syncthreads();  // rows of the last tile are no longer in use
                    s.describe_queries(query0);
                    s.load_normalizers(query0);
                    bias_gradients(s, query0, key0);
                    s.each_pair([&](int row, int column) {
                        for (int k = 0; k < s.planes; k++) {
                            const int e = k * S::AREA + row * S::PITCH + column;
                            s.sums_smem[e] += s.scores()[e];
                        }
                    });
                }
            }
        }
    }
    __syncthreads();
    const int rows = extent_q == 1 ? 1 : TILE, columns = extent_k == 1 ? 1 : TILE;
    for (int i = threadIdx.x; i < s.planes * rows * columns; i += blockDim.x) {
        const int k = i / (rows * columns), row = i / columns % rows, column = i % columns;
        const int query = tile_q * TILE + row, key = tile_k * TILE + column;
        float* const d_bias = p.d_bias[k];
        if (!d_bias || query >= extent_q || key >= extent_k) {
            continue;
        }
        float sum = 0;
        for (int r = row; r < (extent_q == 1 ? TILE : row + 1); r++) {
            for (int c = column; c < (extent_k == 1 ? TILE : column + 1); c++) {
                sum += s.sums_smem[k * S::AREA + r * S::PITCH + c];
            }
        }
        d_bias[(int64_t(matrix) * extent_q + query) * extent_k + key] = sum;
    }
}
ATTENTION_SERIES_KERNELS(attention_series_bias, attention_series_bias)

// A block owns TILE distances of a head and walks along their diagonals, a tile of queries at a time: a query's keys at these
// distances are TILE in a row, those of its neighbour one further, and so of the pairs computed half are on the diagonals.
// grid.x = batch * heads * tiles of distances
template <int TILE, int PLANES>
__device__ void attention_series_distances(const AttentionSeriesParams& p) {
    using S = Series<TILE, PLANES, false>;
    SHARED_DYNAMIC(float, memory_smem);
    S s(p, memory_smem, S::PITCH);  // a query's sums are a row, each for a distance
    const int tiles = (p.distances + TILE - 1) / TILE;
    const int offset = blockIdx.x % tiles * TILE;
    const int64_t head_index = blockIdx.x / tiles, nearest = int64_t(p.first_distance) + offset;
    s.set_head(head_index);
    s.clear_sums(S::PITCH);
    for (int query0 = 0; query0 < p.queries; query0 += TILE) {
        __syncthreads();  // rows of the last tile are no longer in use
        s.describe_queries(query0);
        s.load_normalizers(query0);
        __syncthreads();
        int first = p.keys, last = 0;  // that a query of the tile sees at these distances
        for (int row = 0; row < TILE; row++) {
            const QueryRow& seen = s.row_smem[row];
            const int64_t key = seen.position + nearest;
            const int from = int(max(key, int64_t(seen.first))), to = int(min(key + TILE, int64_t(seen.last)));
            if (from < to) {
                first = min(first, from), last = max(last, to);
            }
        }
        for (int key0 = first; key0 < last; key0 += TILE) {
            bias_gradients(s, query0, key0);
            s.each_pair([&](int row, int column) {
                const int64_t distance = int64_t(key0) + column - s.row_smem[row].position - nearest;
                if (0 <= distance && distance < TILE) {
                    for (int k = 0; k < s.planes; k++) {
                        s.sums_smem[k * S::AREA + row * S::PITCH + distance] += s.scores()[k * S::AREA + row * S::PITCH + column];
                    }
                }
            });
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < s.planes * TILE; i += blockDim.x) {
        const int k = i / TILE, distance = i % TILE;
        float sum = 0;
        for (int row = 0; row < TILE; row++) {
            sum += s.sums_smem[k * S::AREA + row * S::PITCH + distance];
        }
        if (offset + distance < p.distances) {
            const int64_t head = int64_t(k) * p.batch * p.heads + head_index;
            p.distance_sums[head * p.distances + offset + distance] = sum;
        }
    }
}
ATTENTION_SERIES_KERNELS(attention_series_distances, attention_series_distances)

// grid.x = the bias' batch * heads * (2 bias_reach + 1)
extern "C" __global__ void __launch_bounds__(ROW_THREADS, 1) attention_series_distance_bias(
    const __grid_constant__ AttentionSeriesParams p) {
    const int64_t span = 2 * int64_t(p.bias_reach) + 1, element = blockIdx.x % span;
    const int matrix = int(blockIdx.x / span);
    const BiasRange batches(matrix / p.bias_extents[1], p.bias_extents[0], p.batch, 1);
    const BiasRange heads(matrix % p.bias_extents[1], p.bias_extents[1], p.heads, 1);
    // The distances that share the element: the first has all that are less, and the last all that are greater.
    const int64_t index = element - p.bias_reach - p.first_distance, count = p.distances;
    const int64_t first = element == 0 ? 0 : min(max(index, int64_t(0)), count);
    const int64_t last = element == span - 1 ? count : max(first, min(index + 1, count));
    const int64_t of_heads = (heads.last - heads.first) * (last - first);
    for (int k = 0; k < p.planes; k++) {
        float sum = 0;
        for (int64_t i = threadIdx.x; i < (batches.last - batches.first) * of_heads; i += ROW_THREADS) {
            const int64_t batch = batches.first + i / of_heads, head = heads.first + i % of_heads / (last - first);
            sum += p.distance_sums[((k * int64_t(p.batch) + batch) * p.heads + head) * count + first + i % (last - first)];
        }
        sum = fold_block<Sum>(sum);
        float* const d_bias = p.d_bias[k];
        if (d_bias && threadIdx.x == 0) {
            d_bias[matrix * span + element] = sum;
        }
    }
}
REGISTER_KERNEL(attention_series_distance_bias)
