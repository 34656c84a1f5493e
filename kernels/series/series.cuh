// SPDX-License-Identifier: Apache-2.0
// Attention over a ring of series (ring.cuh) in all its forms: the general kernels, in plain multiply-adds, for
// whatever the tensor-core kernels beside them do not know, and for derivatives of every order. Per head, in the ring:
//
//   Z = scale similarity(Q, K) + bias          similarity: Q K^T, or -|q - k|^2 (cosine: of rows normalised beforehand)
//   X = c tanh(Z / c) + mask - slope distance   G = 1 - tanh^2(Z / c), the derivative of the first by Z
//   P = exp(X - LSE)    O = (P Omega) V         Omega: dropout's factors
//   D = dO . O - dLSE   dZ = P (Omega dO V^T - D) G
//   dV = (P Omega)^T dO    dQ = scale dZ K    dK = scale dZ^T Q    dbias = dZ    dsink = -sum_i exp(sink - LSE_i) D_i
//
// A block has TILE stationary rows of one head (queries; keys if BY_KEYS) and walks over the tiles of TILE moving rows. In
// shared memory there are, in planes:
//
//   x, y          [TILE][depth + 4]  chunks of stationary and of moving rows; products go over them `depth` columns at a time
//   first, second [TILE][TILE + 4]   scores, by stationary rows; what they hold in turn is said where they change
//   slope         likewise           G, where there is a softcap
//   sums          [TILE][columns]    the block's columns of its result
//   normalizer    [TILE]             of queries: sums of exp in the forward pass; in the backward LSE, of whose plane 0 the
//                                    inverse of the sum of exp(X - maximum), 0 for a query that has nothing in its sum
//   delta         [TILE]             D
//   maximum       [TILE]             of queries, in plane 0 alone
//   correction, seen                 likewise, in the forward pass: of what was summed before, whether a key is seen
//
// LSE is in two parts, a maximum and a sum l, since a float has no digits for log l beside a large maximum: by a mask of the
// lowest float, each of n keys would have probability 1 instead of 1 / n. And the logarithm of l is no part, since the
// digits that it drops are a relative error of all the row's probabilities. For the same reason every kernel rounds X in
// plane 0 alike, whatever its chunks and whichever side stands: rounded twice, huge scores differ by much.
//
// Blocks with other columns of the same rows compute the scores again. TILE is 32 for few planes, 16 for many and for short
// heads, whose blocks have 64 threads instead of 256. Pairs that do not see each other have weight 0 in every plane; where a
// chunk has a number that is not finite, their products are left out, so that nothing hidden counts and everything seen does.
#pragma once
#include "../common/philox.cuh"
#include "tile.cuh"
#include "visibility.cuh"

template <int TILE, int PLANES, bool BY_KEYS>
struct Series : SeriesTile<TILE, PLANES, BY_KEYS> {
    using Tile = SeriesTile<TILE, PLANES, BY_KEYS>;
    using Tile::AREA, Tile::PITCH, Tile::p, Tile::planes, Tile::ring, Tile::batch, Tile::head, Tile::row_smem, Tile::sees_smem;
    using Tile::first_smem, Tile::second_smem, Tile::slope_smem, Tile::normalizer_smem, Tile::delta_smem, Tile::maximum_smem;
    using Tile::Tile;
    static constexpr bool KEYS_STAND = BY_KEYS;

    // Where X is made, and later dZ; and where the weights are. Products come to the first in either case.
    __device__ float* scores() const { return p.softcap > 0 ? second_smem : first_smem; }
    __device__ float* weights() const { return p.softcap > 0 ? first_smem : second_smem; }

    __device__ void describe_queries(int query0) const {
        if (threadIdx.x < TILE) {
            row_smem[threadIdx.x] = query_row(p, batch, query0 + threadIdx.x);
        }
    }
    // LSE, in two parts, and D of the tile's queries: all that the backward kernels need to know of them.
    __device__ void load_normalizers(int query0) const {
        const int64_t plane = int64_t(p.batch) * p.heads * p.queries;
        for (int i = threadIdx.x; i < planes * TILE; i += blockDim.x) {
            const int k = i / TILE, query = query0 + i % TILE;
            const int64_t row = this->row_index(query);
            const float normalizer = query >= p.queries ? 0 : k == 0 ? 1 / p.sum[row] : p.log_sum_exp[k][row];
            normalizer_smem[i] = normalizer;
            delta_smem[i] = query < p.queries ? p.delta[k * plane + row] : 0;
            if (k == 0) {
                maximum_smem[i] = query < p.queries ? p.maximum[row] : 0;
            }
        }
    }

    // Keys that any query of the tile may see, but for segments and masks, lie in [first_key, last_key).
    __device__ int first_key(int query0) const { return query_row(p, batch, query0).first; }
    __device__ int last_key(int query0) const { return query_row(p, batch, min(query0 + TILE, p.queries) - 1).last; }

    // The first tile of queries of which one may see keys from key0 on.
    __device__ int first_query(int key0) const {
        int low = 0, high = (p.queries + TILE - 1) / TILE;
        while (low < high) {
            const int middle = (low + high) / 2;
            if (last_key(middle * TILE) > key0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low * TILE;
    }

    // f(stationary, moving) for the pairs of rows that this thread has.
    template <class F>
    __device__ void each_pair(F f) const {
        for (int i = threadIdx.x; i < TILE * TILE; i += blockDim.x) {
            f(i / TILE, i % TILE);
        }
    }

    // X of a pair from the products in the first scores. Whether the query sees the key; if not, X is 0.
    __device__ bool finish_scores(int stationary, int moving, int query0, int key0) const {
        const int row = Tile::query_of(stationary, moving), query = query0 + row;
        const int key = key0 + Tile::key_of(stationary, moving), e = stationary * PITCH + moving;
        const QueryRow seen = row_smem[row];
        bool sees = seen.first <= key && key < seen.last;
        if (sees && p.key_segments) {
            sees = p.key_segments[int64_t(batch) * p.keys + key] == seen.segment;
        }
        float added = 0;
        if (sees && p.mask) {
            added = p.mask[batch * p.mask_strides[0] + head * p.mask_strides[1] + query * p.mask_strides[2]
                           + key * p.mask_strides[3]];
            sees = added != -INFINITY;
        }
        sees_smem[stationary * TILE + moving] = sees;
        float* const x = scores() + e;
        if (!sees) {
            for (int k = 0; k < planes; k++) {
                x[k * AREA] = 0;
            }
            return false;
        }
        scale_and_bias(first_smem + e, row, query, key);
        if (p.softcap > 0) {
            cap(x, first_smem + e, slope_smem + e);
        }
        if (p.alibi_slopes) {
            added = fmaf(-p.alibi_slopes[head], fabsf(float(int64_t(seen.position) - key)), added);
        }
        x[0] = __fadd_rn(x[0], added);  // not fused with what made x, which compilers would do here and there
        return true;
    }

    // The element of the bias for a pair, by query and key or by their distance.
    __device__ int64_t bias_index(int row, int query, int key) const {
        const int64_t head_from = batch * p.bias_strides[0] + head * p.bias_strides[1];
        if (p.bias_reach < 0) {
            return head_from + query * p.bias_strides[2] + key * p.bias_strides[3];
        }
        const int64_t distance = key - int64_t(row_smem[row].position), reach = p.bias_reach;
        return head_from + reach + min(max(distance, -reach), reach);
    }

    __device__ void scale_and_bias(float* z, int row, int query, int key) const {
        const int64_t index = bias_index(row, query, key);
        for (int k = 0; k < planes; k++) {
            const float* bias = p.bias[k];
            z[k * AREA] = fmaf(p.scale, z[k * AREA], bias ? bias[index] : 0);
        }
    }

    // y = c tanh(z / c), of which y' = slope = 1 - y^2 / c^2; that of plane 0 by exp, since much would cancel.
    __device__ void cap(float* y, const float* z, float* slope) const {
        const float u = z[0] / p.softcap, e = expf(-2 * fabsf(u));
        y[0] = p.softcap * tanhf(u);
        slope[0] = 4 * e / ((1 + e) * (1 + e));
        for (int k = 1; k < planes; k++) {
            float sum = 0;
            ring.derivations(k, [&](int a, int b, float weight) { sum += weight * z[a * AREA] * slope[b * AREA]; });
            y[k * AREA] = sum / ring.divisor(k);
            sum = 0;
            ring.products(k, [&](int a, int b) { sum += y[a * AREA] * y[b * AREA]; });
            slope[k * AREA] = -sum / (p.softcap * p.softcap);
        }
    }

    __device__ float dropout_factor(int query, int key) const {
        if (p.dropout == 0) {
            return 1;
        }
        const float number =
            uniform_number(uint64_t(p.seed), uint64_t(batch) * p.heads + head, (uint64_t(query) << 34) + uint64_t(key));
        return number < p.dropout ? 0 : p.kept;
    }
    __device__ float dropout_factor_of(int stationary, int moving, int query0, int key0) const {
        return dropout_factor(query0 + Tile::query_of(stationary, moving), key0 + Tile::key_of(stationary, moving));
    }

    // Products Q K^T to probabilities.
    __device__ void probabilities(int query0, int key0) const {
        each_pair([&](int stationary, int moving) {
            float* const x = scores() + stationary * PITCH + moving;
            float* const w = weights() + stationary * PITCH + moving;
            const int query = Tile::query_of(stationary, moving);
            const float inverse = normalizer_smem[query];
            const bool sees = finish_scores(stationary, moving, query0, key0) && inverse != 0;
            sees_smem[stationary * TILE + moving] = sees;
            for (int k = 0; k < planes; k++) {
                w[k * AREA] = 0;
            }
            if (sees) {
                for (int k = 1; k < planes; k++) {
                    x[k * AREA] -= normalizer_smem[k * TILE + query];
                }
                w[0] = expf(x[0] - maximum_smem[query]) * inverse;
                ring.exponential(w, AREA, x, AREA);
            }
        });
    }

    // P to P Omega.
    __device__ void drop_weights(int query0, int key0) const {
        if (p.dropout > 0) {
            each_pair([&](int stationary, int moving) {
                const float factor = dropout_factor_of(stationary, moving, query0, key0);
                for (int k = 0; k < planes; k++) {
                    weights()[k * AREA + stationary * PITCH + moving] *= factor;
                }
            });
        }
    }

    // Products dO V^T, in the place of scores, to dZ.
    __device__ void score_gradients(int query0, int key0) const {
        each_pair([&](int stationary, int moving) {
            const int e = stationary * PITCH + moving;
            float* const d = scores() + e;
            const bool sees = sees_smem[stationary * TILE + moving];
            const float factor = sees ? dropout_factor_of(stationary, moving, query0, key0) : 0;
            for (int k = 0; k < planes; k++) {
                d[k * AREA] = sees ? factor * d[k * AREA] - delta_smem[k * TILE + Tile::query_of(stationary, moving)] : 0;
            }
            if (sees) {
                ring.multiply_by(d, weights() + e, AREA);
                if (p.softcap > 0) {
                    ring.multiply_by(d, slope_smem + e, AREA);
                }
            }
        });
    }
};

// A thin kernel for a tile and a number of planes: one, or any.
#define ATTENTION_SERIES_KERNEL(name, body, TILE, PLANES)                                                                    \
    extern "C" __global__ void __launch_bounds__(SERIES_THREADS, 2) name(const __grid_constant__ AttentionSeriesParams p) {   \
        body<TILE, PLANES>(p);                                                                                               \
    }                                                                                                                        \
    REGISTER_KERNEL(name)
#define ATTENTION_SERIES_KERNELS(name, body)                       \
    ATTENTION_SERIES_KERNEL(name##_one, body, 32, 1)               \
    ATTENTION_SERIES_KERNEL(name##_few, body, 32, 0)               \
    ATTENTION_SERIES_KERNEL(name##_many, body, 16, 0)
