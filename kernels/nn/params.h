// SPDX-License-Identifier: Apache-2.0
// Parameters of the kernels in this directory, one by-value struct each; read by ../common/params.awk, which says what a
// field may be. Strides and lengths count elements, not bytes.
#pragma once
#include <cstdint>

// C = activation(alpha op(A) op(B) + beta C + bias) + added, row-major, for each product of a batch. A, B, C and bias hold elements
// of the kernel's type.
struct GemmParams {
    const void* a;            // [batch][m, k], or [k, m] if transpose_a
    const void* b;            // [batch][k, n], or [n, k] if transpose_b
    void* c;                  // [batch][m, n]; not read if beta is 0
    const void* bias;         // [n], or null
    const void* added;        // [batch][m, n] with the strides of C, added to what the activation gives; or null
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
    int32_t activation;       // ordinal of org.fovea.backend.math.Activation
    int32_t precision;        // of products of floats: ordinal of org.fovea.backend.BackendSettings.Precision
    float alpha;
    float beta;
};

// Gradients of y = x W + bias, and of the activation whose output x is, in one launch:
//
//   dx = activation'(x) (dy W^T + added)        d_weight = x^T dy        d_bias = sum over rows of dy
struct LinearBackwardParams {
    const float* x;           // [rows, in]
    const float* weight;      // [in, out]
    const float* dy;          // [rows, out]
    const float* added;       // [rows, in], or null
    float* dx;                // [rows, in], or null
    float* d_weight;          // [in, out]
    float* d_bias;            // [out], or null
    float* partial;           // scratch [splits][in + 1, out], if splits > 1: sums over a part of the rows, d_bias's last
    int32_t* counters;        // [tiles of d_weight], 0 before and after
    int32_t rows;
    int32_t in;
    int32_t out;
    int32_t splits;           // of rows, at least 1
    int32_t split_depth;      // rows per split, a multiple of 64
    int32_t activation;       // ordinal of org.fovea.backend.math.Activation
    int32_t precision;        // of products of floats: ordinal of org.fovea.backend.BackendSettings.Precision
};

// y = x W + bias of some layers of the same sizes
struct LinearLayersParams {
    const float* x[4];        // [rows, in]
    const float* weight[4];   // [in, out]
    const float* bias[4];     // [out], or null
    float* y[4];              // [rows, out]
    int32_t rows[4];          // 0 where there is no layer
    int32_t in;
    int32_t out;
    int32_t precision;        // as in GemmParams
};

// The gradients of such layers, each as in LinearBackwardParams. Where layers one after the other have the same dx, the second
// and later have it as what is added, too.
struct LinearLayersBackwardParams {
    const float* x[4];
    const float* weight[4];
    const float* dy[4];
    const float* added[4];
    float* dx[4];             // null where it is not wanted, or there is no layer
    float* d_weight[4];
    float* d_bias[4];
    float* partial[4];
    int32_t* counters;        // [4][tiles of a d_weight], 0 before and after
    int32_t rows[4];
    int32_t splits[4];        // 0 where there is no layer
    int32_t split_depth[4];
    int32_t in;
    int32_t out;
    int32_t precision;
};

// y[i] = x[i]. Types: 0 float, 1 Bf16, 2 F16.
struct CastParams {
    const void* x;            // [count]
    void* y;                  // [count]
    int64_t count;
    int32_t from;             // type of x
    int32_t to;               // type of y
};

// y[i] = op(x[i])
struct MapParams {
    const float* x;           // [count]
    float* y;                 // [count], may be x
    int64_t count;
    int32_t op;               // ordinal of org.fovea.backend.math.UnaryOp
};

// y[row, i] = op(a[row a_row_stride + i a_stride], b[row b_row_stride + i b_stride]) over a dense y
struct ZipRowsParams {
    const float* a;
    const float* b;
    float* y;                 // [rows, width], may be a or b
    int64_t rows;
    int64_t width;
    int64_t a_row_stride;
    int64_t b_row_stride;
    int32_t a_stride;         // 0 or 1
    int32_t b_stride;
    int32_t vectors;          // width and the row strides of what has stride 1 are multiples of 4, addresses of 16 bytes
    int32_t op;               // ordinal of org.fovea.backend.math.BinaryOp
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
    int32_t op;               // ordinal of org.fovea.backend.math.BinaryOp
};

// y[index . stride_y] = x[index . stride_x], or += if it adds
struct ArrangeParams {
    const void* x;            // elements of 4 bytes, or of 16
    void* y;
    int64_t count;
    int32_t shape[6];
    int32_t stride_x[6];
    int32_t stride_y[6];
    int32_t adds;             // floats
};

// y[i] = condition[i] != 0 ? a[i] : b[i]
struct SelectParams {
    const float* condition;   // [count]
    const float* a;           // [count]
    const float* b;           // [count]
    float* y;                 // [count], may be one of them
    int64_t count;
};

// y[o, c, i] = op over r of x[o, r, i], r in [c chunk, (c + 1) chunk)
struct ReduceParams {
    const float* x;           // [outer, reduced, inner]
    float* y;                 // [outer, chunks, inner]
    int64_t outer;
    int64_t reduced;
    int64_t inner;
    int64_t chunk;
    int64_t chunks;
    int32_t lanes;            // threads that share an output, a power of two up to 32
    int32_t columns;          // outputs next to each other that a block folds, a power of two up to 32
    int32_t op;               // ordinal of org.fovea.backend.math.ReduceOp
};

// rows[i, :] = table[indices[i], :] of each of some tables; all ones for an index outside the table, which is NaN, or -1
struct GatherParams {
    const void* table[8];     // [table_rows, width], elements of 4 bytes, or of 16
    void* rows[8];            // [count, width]
    int64_t table_rows[8];
    int64_t width[8];
    const int32_t* indices;   // [count]
    int64_t count;
    int64_t total;            // sum of the widths
};

// table[unit(i) stride + place(i), :] = rows[i, :] of each of some tables, place(i) = indices[i] + shift; without the rows whose
// unit is negative, or whose place is outside [0, extent) or outside the table
struct PlaceParams {
    void* table[8];           // [table_rows, width], elements of 4 bytes, or of 16
    const void* rows[8];      // [count, width]
    int64_t table_rows[8];
    int64_t width[8];
    const int32_t* units;     // [count], or null for unit(i) = i
    const int32_t* indices;   // [count]
    int64_t count;
    int64_t total;            // sum of the widths
    int64_t stride;
    int32_t shift;
    int32_t extent;
    int32_t wraps;            // 1: places are modulo the extent
};

// table[indices[i], :] += rows[i, :], without the rows whose index is outside the table
struct ScatterParams {
    float* table;             // [table_rows, width]
    const float* rows;        // [count, width]
    const int32_t* indices;   // [count]
    int32_t* keys;            // scratch [count]: the indices, sorted within each chunk
    float* partial;           // scratch [count, width]: sums of rows of one index
    int64_t table_rows;
    int64_t count;
    int64_t width;
    int32_t splits;           // blocks that share a row of the table
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
    const int32_t* counter;   // null, or [1]: added to stream, so that a captured step draws anew at each replay
    int64_t count;
    int64_t seed;
    int64_t stream;
    int64_t first;
};

// y[r, :] = softmax(x[r, :]) or its logarithm
struct SoftmaxParams {
    const float* x;           // [rows, width]
    float* y;                 // [rows, width], may be x
    int64_t rows;
    int32_t width;
};

// y[r, :] = (x[r, :] - mean[r]) reciprocal_std[r] gain + bias
struct LayerNormParams {
    const float* x;           // [rows, width]
    const float* gain;        // [width]
    const float* bias;        // [width]
    float* y;                 // [rows, width], may be x
    float* mean;              // [rows], written
    float* reciprocal_std;    // [rows], written
    int64_t rows;
    int32_t width;
    float epsilon;
};

// dx = gradient + added
struct LayerNormBackwardParams {
    const float* x;               // [rows, width]
    const float* gain;            // [width]
    const float* mean;            // [rows]
    const float* reciprocal_std;  // [rows]
    const float* dy;              // [rows, width]
    const float* added;           // [rows, width], or null
    float* dx;                    // [rows, width], may be x, dy or added
    float* d_gain;                // [width]
    float* d_bias;                // [width]
    float* partial;               // scratch [blocks, 2, width]: each block's part of d_gain, and of d_bias
    int32_t* counter;             // [1], 0 before and after
    int64_t rows;
    int32_t width;
};

// Pairs (i, i + half) of x[row, head, :] turned by the angle sign positions[row] base^(-i / half), for each of one or two arrays
struct RotaryParams {
    const float* x[2];            // [rows, heads, 2 half]
    const int32_t* positions[2];  // [rows]
    float* y[2];                  // [rows, heads, 2 half], may be x
    int64_t rows[2];              // 0 where there is no second
    double log2_base;
    int32_t heads;
    int32_t half;
    int32_t sign;                 // 1 or -1
};

// y = (x - mean(x)) / (std(x) + epsilon)
struct StandardizeParams {
    const float* x;           // [count]
    float* y;                 // [count], may be x
    float* means;             // scratch [chunks]
    float* squares;           // scratch [chunks]: sums of squared distances from a chunk's mean
    int64_t count;
    float epsilon;
};

#include "nn_layout.h"
