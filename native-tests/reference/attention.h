// SPDX-License-Identifier: Apache-2.0
// An attention problem with everything that may be asked of it, over a ring of series, and its solution by naive loops in
// float64. Of one plane it is attention with its gradients, of two planes their directional derivative.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "series.h"
#include "storage.h"

enum class Similarity { DOT, COSINE, EUCLIDEAN };

using Planes = std::vector<std::vector<float>>;  // the coefficients of an array; an empty one is 0
using Extents = std::array<int, 4>;              // of batch, heads, queries, keys: all, or 1; all 0 if there is no such array

struct AttentionProblem {
    Ring ring;
    int batch = 1, heads = 1, group = 1, queries = 1, keys = 1, dim = 1, value_dim = 1;
    int left = -1, right = -1, past = 0;
    bool bottom_right = false, rows_first = false, sinks = false;
    int precision = 0;  // of products of floats, as in rounded.cuh
    Similarity similarity = Similarity::DOT;
    float scale = 0, softcap = 0, dropout = 0;  // scale 0: 1 / sqrt(dim)
    int64_t seed = 7;
    Extents bias_extents{}, mask_extents{};
    int bias_reach = -1;  // of a relative bias, whose extents are [batch or 1, heads or 1, 1, 1]
    std::vector<int> query_segments, key_segments, key_lengths, query_sequences, key_sequences;
    std::vector<float> mask, slopes;
    Planes query, key, value, bias, sink, d_output, d_log_sum_exp;

    std::string text() const;
    int key_heads() const { return heads / group; }
    size_t rows() const { return size_t(batch) * heads * queries; }
    size_t key_rows() const { return size_t(batch) * key_heads() * keys; }
    float factor() const { return scale == 0 ? 1 / std::sqrt(float(dim)) : scale; }
    bool has_bias() const { return bias_extents[0] > 0; }

    // Elements of arrays [batch, heads, rows, extent], or [batch, rows, heads, extent] if rows come first.
    size_t query_at(int b, int h, int i, int d) const { return at(b, h, i, d, heads, queries, dim); }
    size_t output_at(int b, int h, int i, int d) const { return at(b, h, i, d, heads, queries, value_dim); }
    size_t key_at(int b, int key_head, int j, int d) const { return at(b, key_head, j, d, key_heads(), keys, dim); }
    size_t value_at(int b, int key_head, int j, int d) const { return at(b, key_head, j, d, key_heads(), keys, value_dim); }
    // The element of the bias for a pair whose key is `ahead` positions after its query.
    size_t bias_at(int b, int h, int i, int j, double ahead) const;

    // Whether query i sees key j, and how far that is after it. A query in no sequence stands at 0.
    bool visible(int b, int h, int i, int j, double& ahead) const;

    static size_t broadcast(const Extents& e, int b, int h, int i, int j) {
        return ((size_t(e[0] == 1 ? 0 : b) * e[1] + (e[1] == 1 ? 0 : h)) * e[2] + (e[2] == 1 ? 0 : i)) * e[3] + (e[3] == 1 ? 0 : j);
    }

  private:
    size_t at(int b, int h, int row, int d, int of_heads, int of_rows, int extent) const {
        return rows_first ? ((size_t(b) * of_rows + row) * of_heads + h) * extent + d
                          : ((size_t(b) * of_heads + h) * of_rows + row) * extent + d;
    }
};

// Number n of stream `stream` of Philox 4x32-10, by the paper.
double philox_uniform(uint64_t seed, uint64_t stream, uint64_t n);

using SumPlanes = std::vector<std::vector<Sum>>;

struct AttentionSolution {
    SumPlanes output, log_sum_exp, delta, d_query, d_key, d_value, d_bias, d_sink;  // delta is dO . O - dLSE
    std::vector<double> maximum;    // of each query: the largest of its scores divided by the scale, 0 if it has none
    std::vector<double> stages[4];  // of plane 0: scores, after the softcap, after the masks, probabilities
    double largest_score = 0;       // the sum of its terms' magnitudes, in plane 0
};

// With `rounding`, scores, probabilities, outputs and gradients are rounded to it wherever they come up.
AttentionSolution solve(const AttentionProblem& p, Storage rounding = Storage::F32);
