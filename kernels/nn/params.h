// Parameters of the kernels in this directory, one by-value struct each; read by ../common/params.awk, which says what a
// field may be. Strides and lengths count elements, not bytes.
#pragma once
#include <cstdint>

// C = activation(alpha op(A) op(B) + beta C + bias), row-major, for each product of a batch. A, B, C and bias hold elements
// of the kernel's type.
struct GemmParams {
    const void* a;            // [batch][m, k], or [k, m] if transpose_a
    const void* b;            // [batch][k, n], or [n, k] if transpose_b
    void* c;                  // [batch][m, n]; not read if beta is 0
    const void* bias;         // [n], or null
    float* partial;           // [splits][batch][m, n] sums over a part of k, if splits > 1
    int64_t batch_stride_a;   // from one product to the next
    int64_t batch_stride_b;
    int64_t batch_stride_c;
    int64_t row_stride_a;     // from one stored row to the next
    int64_t row_stride_b;
    int64_t row_stride_c;
    int32_t batch;
    int32_t m;
    int32_t n;
    int32_t k;
    int32_t splits;           // of k, at least 1
    int32_t split_depth;      // of k per split, a multiple of 64
    int32_t transpose_a;
    int32_t transpose_b;
    int32_t activation;       // ordinal of org.fovea.backend.Activation
    int32_t tf32;             // multiply floats rounded to TF32, else to float32's accuracy
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

#include "nn_layout.h"
