// The gradient of series.cuh for the bias: dZ, summed over the axes along which the bias has length 1. A block owns a tile
// of the bias' own extents and walks over all tiles of scores that it was added to.
#include "series.cuh"

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
                    s.compare(s.first_smem, p.query, s.queries(), query0, p.key, s.keys(), key0, p.euclidean);
                    s.probabilities(query0, key0);
                    s.compare(s.scores(), p.d_output, s.d_outputs(), query0, p.value, s.values(), key0, false);
                    s.score_gradients(query0, key0);
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
