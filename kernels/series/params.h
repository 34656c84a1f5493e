// SPDX-License-Identifier: Apache-2.0
// Parameters of the kernels in this directory, one by-value struct each; read by ../common/params.awk, which says what a
// field may be. Strides and lengths count elements, not bytes.
#pragma once
#include <cstdint>

// Attention over a ring of series, in any of its forms: its arrays in planes of coefficients, of which those that are null
// are 0, or not wanted. Each kernel reads what it has a use for.
struct AttentionSeriesParams {
    const void* query[16];              // [batch, heads, queries, head_dim] in the order its strides give
    const void* key[16];                // [batch, key_heads, keys, head_dim]
    const void* value[16];              // [batch, key_heads, keys, value_dim]
    const float* bias[16];              // in its extents, or by relative position [batch or 1, heads or 1, 2 bias_reach + 1]
    const float* sink[16];              // [heads]
    const void* d_output[16];           // gradients of output and log_sum_exp
    const float* d_log_sum_exp[16];
    void* output[16];                   // [batch, heads, queries, value_dim]
    float* exact_output[16];            // the same before it is rounded; it may be `output`, where that is of floats
    float* log_sum_exp[16];             // [batch, heads, queries]
    void* d_query[16];                  // gradients, laid out like what they are for
    void* d_key[16];
    void* d_value[16];
    float* d_bias[16];
    float* d_sink[16];
    float* delta;                       // [planes, batch, heads, queries], dO . O - dLSE
    float* maximum;                     // [batch, heads, queries]: plane 0 of log_sum_exp in two parts, maximum + log sum;
    float* sum;                         // of a query without anything in its sum, 0 and infinity
    float* distance_sums;               // [planes, batch, heads, distances], dZ summed over the pairs at each
    float* weights;                     // [batch, heads, asked, keys], of the queries from first_query on
    const float* mask;                  // or null, like all that follow
    const float* alibi_slopes;          // [heads]
    const int32_t* query_segments;      // [batch, queries]
    const int32_t* key_segments;        // [batch, keys]
    const int32_t* key_lengths;         // [batch]
    const int32_t* query_sequences;     // [sequences + 1]
    const int32_t* key_sequences;       // [sequences + 1]
    int64_t query_strides[3];           // of batch, head, row
    int64_t key_strides[3];
    int64_t value_strides[3];
    int64_t output_strides[3];
    int64_t bias_strides[4];            // of batch, head, query, key; 0 along an axis of length 1
    int64_t mask_strides[4];
    int64_t seed;                       // of dropout
    int32_t bias_extents[4];            // of a bias by relative position [batch, heads, 1, 1]
    int32_t bias_reach;                 // of a bias by relative position, else -1
    int32_t first_distance;             // least relative position, of a key to a query that sees it
    int32_t distances;                  // relative positions there are from that one on
    int32_t batch;
    int32_t heads;
    int32_t key_heads;
    int32_t queries;
    int32_t keys;
    int32_t head_dim;
    int32_t value_dim;
    int32_t sequences;
    int32_t window_left;                // keys seen before the query's position, -1 for all
    int32_t window_right;               // after it; 0 if causal
    int32_t bottom_right;               // 1: the last query stands at the last valid key
    int32_t past_keys;                  // keys before query 0, where the last query does not stand at the last key
    int32_t planes;
    int32_t mixed;                      // 0: plane k goes with t^k; 1: with the infinitesimals whose bits are set in k
    int32_t euclidean;                  // 0: similarity is the dot product; 1: minus the squared distance
    int32_t pair_storage;               // type of query, key and their gradients: 0 float, 1 bfloat16, 2 float16
    int32_t value_storage;              // of value, output and their gradients
    int32_t depth;                      // columns of a chunk in shared memory, a multiple of 4
    int32_t columns;                    // of a block's sums, a multiple of depth
    int32_t first_query;
    int32_t asked;
    int32_t stage;                      // of the weights: 0 scores, 1 after the softcap, 2 after the masks, 3 probabilities
    float scale;
    float softcap;                      // 0 if there is none
    float dropout;                      // probability that a pair is dropped
    float kept;                         // factor of those that are not
};

// Rows on the unit sphere, y = x / |x|, in a ring of series, and the gradient for x from that for y.
struct AttentionNormalizeParams {
    const void* x[16];     // [rows, width], planes; null is 0
    float* y;              // [planes, rows, width]
    float* inverse;        // [planes, rows], 1 / |x|
    float* d_y;            // [planes, rows, width]; overwritten
    void* d_x[16];         // [rows, width], of x's type; null is not wanted
    int64_t rows;
    int32_t width;
    int32_t planes;
    int32_t mixed;
    int32_t storage;       // as in AttentionSeriesParams
};

#include "series_layout.h"
