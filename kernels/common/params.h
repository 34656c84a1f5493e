// Parameters of every kernel, passed by value as one struct. This file is the one table of their layout: params.awk
// reads it and writes the Java side, together with static_asserts that hold both compilers to the same offsets. So
// keep to one field a line, of type T*, const T*, int64_t, int32_t, double or float, or an array of those of literal length.
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

// y[index] = op(a[index . stride_a], b[index . stride_b]) over a dense y. Axes are aligned to the last; missing ones have
// extent 1.
struct ZipParams {
    const void* a;            // float or int32_t
    const void* b;
    float* y;                 // [count]
    int64_t count;
    int32_t shape[6];
    int32_t stride_a[6];
    int32_t stride_b[6];
    int32_t a_is_integer;
    int32_t b_is_integer;
    int32_t op;               // ordinal of org.fovea.backend.BinaryOp
};

// y[index . stride_y] = x[index . stride_x]; elements of 4 bytes.
struct ArrangeParams {
    const uint32_t* x;
    uint32_t* y;
    int64_t count;
    int32_t shape[6];
    int32_t stride_x[6];
    int32_t stride_y[6];
};

// y[i] = condition[i] != 0 ? a[i] : b[i]
struct SelectParams {
    const float* condition;   // [count]
    const float* a;           // [count]
    const float* b;           // [count]
    float* y;                 // [count]
    int64_t count;
};

// y[o, i] = op over r of x[o, r, i]
struct ReduceParams {
    const float* x;           // [outer, reduced, inner]
    float* y;                 // [outer, inner]
    int64_t outputs;          // outer * inner
    int32_t reduced;
    int32_t inner;
    int32_t op;               // ordinal of org.fovea.backend.ReduceOp
};

// gather: rows[i, :] = table[indices[i], :];  scatter-add: table[indices[i], :] += rows[i, :]
struct RowsParams {
    void* table;              // [table_rows, width], elements of 4 bytes; floats for scatter-add
    void* rows;               // [count, width]
    const int32_t* indices;   // [count]
    int64_t table_rows;
    int64_t count;
    int32_t width;
};

// y[i] = start + i step
struct IotaParams {
    void* y;                  // [count], float or int32_t
    int64_t count;
    double start;
    double step;
    int32_t is_integer;
};

// y[i] = number first + i of the stream (seed, stream)
struct UniformParams {
    float* y;                 // [count]
    int64_t count;
    int64_t seed;
    int64_t stream;
    int64_t first;
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
