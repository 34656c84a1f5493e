// Parameters of every kernel, passed by value as one struct. This file is the one table of their layout: params.awk
// reads it and writes the Java side, together with static_asserts that hold both compilers to the same offsets. So
// keep to one field a line, of type T*, const T*, int64_t, int32_t or float, or an array of those of literal length.
//
// Strides and lengths count elements, not bytes.
#pragma once
#include <cstdint>

// C = alpha op(A) op(B) + beta C, row-major, for each product of a batch.
struct GemmParams {
    const float* a;           // [batch][m, k], or [k, m] if transpose_a
    const float* b;           // [batch][k, n], or [n, k] if transpose_b
    float* c;                 // [batch][m, n]; not read if beta is 0
    int64_t batch_stride_a;   // from one product to the next
    int64_t batch_stride_b;
    int64_t batch_stride_c;
    int32_t transpose_a;
    int32_t transpose_b;
    int32_t m;
    int32_t n;
    int32_t k;
    int32_t row_stride_a;     // from one stored row to the next
    int32_t row_stride_b;
    int32_t row_stride_c;
    float alpha;
    float beta;
};

// y[i] = op(x[i])
struct MapParams {
    const float* x;           // [count]
    float* y;                 // [count], may be x
    int64_t count;
    int32_t op;               // ordinal of org.fovea.backend.UnaryOp
};

// O = softmax(scale Q K^T + mask) V, per batch row and head.
struct AttentionForwardParams {
    const float* query;             // [batch, heads, queries, head_dim] in the order its strides give
    const float* key;               // [batch, heads, keys, head_dim]
    const float* value;             // [batch, heads, keys, value_dim]
    float* output;                  // [batch, heads, queries, value_dim], strides of its own
    float* log_sum_exp;             // [batch, heads, queries]
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
    int32_t heads;
    int32_t queries;
    int32_t keys;
    int32_t head_dim;
    int32_t value_dim;
    int32_t window_left;            // keys seen before the query's position, -1 for all
    int32_t window_right;           // after it; 0 if causal
    int32_t bottom_right;           // 1: the last query stands at the last valid key; 0: query i stands at i
    float scale;
};
