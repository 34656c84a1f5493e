// SPDX-License-Identifier: Apache-2.0
// Parameters of the kernels in this directory, one by-value struct; read by ../common/params.awk, which says what a field
// may be. Strides and lengths count elements, not bytes. Arrays of rows are of the kernel's storage type, row scalars of
// float. What a kernel has no use for is null.
#pragma once
#include <cstdint>

// O = softmax(scale Q K^T + mask) V, per batch row and head, and its gradients.
struct AttentionParams {
    const void* query;              // [batch, heads, queries, head_dim] in the order its strides give
    const void* key;                // [batch, heads / group, keys, head_dim]
    const void* value;              // [batch, heads / group, keys, value_dim]
    const float* sink;              // [heads] or null: a score that only adds to the sum of exponentials
    void* output;                   // [batch, heads, queries, value_dim]; written by the forward kernels alone
    float* log_sum_exp;             // [batch, heads, queries]; likewise
    float* maximum;                 // [batch, heads, queries], of Q K^T over the keys that a query sees, the minimum if scale
                                    // is negative; 0 if it sees none. What derivatives need of the forward, which writes it
                                    // if it is not null
    float* normalizer;              // [batch, heads, queries], likewise, of l = sum_j exp(S_ij - scale maximum), sink
                                    // included, +inf where nothing is seen: 1 / l for float, log2(l) for 16-bit types
    float* sink_share;              // [batch, heads, queries], likewise, the probability of the sink; null without one
    float* exact_output;            // the output as floats, in its layout; written for 16-bit types, likewise
    const void* d_output;           // gradients of output and log_sum_exp, laid out like them; the latter null if zero
    const float* d_log_sum_exp;
    float* delta;                   // [batch, heads, queries], dO . O - dLSE: from backward_rows to backward_columns, from
                                    // jvp to tangent_rows, and to the gradient of the sink
    void* d_query;                  // gradients, laid out like query, key and value
    void* d_key;
    void* d_value;
    const void* query_tangent;      // tangents of query, key and value; those of d_query, d_key and d_value are written in
    const void* key_tangent;        // the places of these
    const void* value_tangent;
    const float* sink_tangent;      // null if zero
    const void* d_output_tangent;   // of d_output and d_log_sum_exp, null if zero
    const float* d_log_sum_exp_tangent;
    void* output_tangent;           // written by jvp
    float* log_sum_exp_tangent;     // [batch, heads, queries], by jvp; read by tangent_rows and tangent_columns
    float* delta_tangent;           // [batch, heads, queries], of delta, likewise
    float* fitted_delta;            // [batch, heads, queries], delta as tangent_rows fits it to its sums, to tangent_columns and
    float* fitted_delta_tangent;    // to the tangent of the gradient of the sink; likewise
    float* d_sink;                  // [heads], or its tangent
    const int32_t* query_segments;  // [batch, queries] or null
    const int32_t* key_segments;    // [batch, keys] or null
    const int32_t* key_lengths;     // [batch] or null
    int64_t query_batch_stride;
    int64_t query_head_stride;
    int64_t query_row_stride;
    int64_t key_batch_stride;
    int64_t key_head_stride;
    int64_t key_row_stride;
    int64_t value_batch_stride;
    int64_t value_head_stride;
    int64_t value_row_stride;
    int64_t output_batch_stride;
    int64_t output_head_stride;
    int64_t output_row_stride;
    int32_t batch;
    int32_t heads;
    int32_t group;                  // heads that share a key head, one after the other
    int32_t queries;
    int32_t keys;
    int32_t head_dim;
    int32_t value_dim;
    int32_t window_left;            // keys seen before the query's position, -1 for all
    int32_t window_right;           // after it; 0 if causal
    int32_t bottom_right;           // 1: the last query stands at the last valid key; 0: query i stands at past_keys + i
    int32_t past_keys;
    float scale;
};

// Attention of one new query per head over the counts[b] most recent slots of a ring buffer. Arrays are of the kernel's
// storage type.
struct AttentionDecodeParams {
    const void* query;        // [batch, heads, head_dim]
    const void* key_cache;    // [batch, capacity, heads, head_dim]
    const void* value_cache;  // [batch, capacity, heads, value_dim]
    const int32_t* counts;    // [batch], more than the capacity is all of it
    const int32_t* positions; // [batch]: the most recent key is in slot positions[b] mod capacity
    void* output;             // [batch, heads, value_dim]
    int32_t batch;
    int32_t heads;
    int32_t capacity;
    int32_t head_dim;
    int32_t value_dim;
    int32_t lanes;            // that share a row, a power of two, at most 32
    int32_t warps;            // that share a head: 1, 2, 4 or 8
    float scale;
    float softcap;            // 0 if there is none
    int32_t similarity;       // 0 dot product, 1 cosine, 2 minus the squared distance
};

#include "attention_layout.h"
