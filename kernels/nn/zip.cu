// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of two arguments with broadcasting: y = op(a, b).
#include "../common/vector.cuh"
#include "params.h"
#include "strided.cuh"

// Same order as org.fovea.backend.math.BinaryOp.
enum BinaryOp {
    ADD, SUBTRACT, MULTIPLY, DIVIDE, MIN, MAX, LESS, LESS_EQUAL, EQUAL, TANH_GRADIENT, SIGMOID_GRADIENT, RELU_GRADIENT,
    GELU_GRADIENT, BINARY_OPS
};

__device__ inline float gelu_gradient(float x) {
    const float root = 0.7978845608f, cubic = 0.044715f;  // sqrt(2 / pi)
    const float t = tanhf(root * (x + cubic * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * root * (1 + 3 * cubic * x * x);
}

__device__ inline float binary(int op, float a, float b) {
    switch (op) {
        case ADD: return a + b;
        case SUBTRACT: return a - b;
        case MULTIPLY: return a * b;
        case DIVIDE: return a / b;
        case MIN: return a < b || a != a ? a : b;  // a NaN on either side stays
        case MAX: return a > b || a != a ? a : b;
        case LESS: return a < b ? 1.0f : 0.0f;
        case LESS_EQUAL: return a <= b ? 1.0f : 0.0f;
        case EQUAL: return a == b ? 1.0f : 0.0f;
        case TANH_GRADIENT: return (1 - a * a) * b;
        case SIGMOID_GRADIENT: return a * (1 - a) * b;
        case RELU_GRADIENT: return a > 0 ? b : 0;
        default: return gelu_gradient(a) * b;
    }
}

// Elements [column, column + N) of a row whose elements are next to each other, or all the same.
template <int N>
__device__ inline Floats<N> load_operand(const float* row, int64_t column, int stride) {
    if (stride) {
        return load<N>(row + column);
    }
    Floats<N> same;
#pragma unroll
    for (int k = 0; k < N; k++) {
        same.v[k] = *row;
    }
    return same;
}

template <int OP, int N>
__device__ inline void zip_run(const ZipRowsParams& p, int64_t row, int64_t column) {
    Floats<N> a = load_operand<N>(p.a + row * p.a_row_stride, column, p.a_stride);
    const Floats<N> b = load_operand<N>(p.b + row * p.b_row_stride, column, p.b_stride);
#pragma unroll
    for (int k = 0; k < N; k++) {
        a.v[k] = binary(OP, a.v[k], b.v[k]);
    }
    store<N>(p.y + row * p.width + column, a);
}

// Operands that are dense, one number, one row for all, or one number per row.
extern "C" __global__ void zip_rows(const __grid_constant__ ZipRowsParams p) {
    with_constant<BINARY_OPS>(p.op, [&](auto op) {
        constexpr int OP = decltype(op)::VALUE;
        const int64_t count = p.rows * p.width;
        if (p.rows == 1) {
            for_each_run(count, p.vectors, [&](auto run, int64_t i) { zip_run<OP, decltype(run)::VALUE>(p, 0, i); });
        } else if (p.vectors) {
            const int64_t runs = p.width / 4;
            FOR_EACH_ELEMENT(i, count / 4) {
                zip_run<OP, 4>(p, i / runs, i % runs * 4);
            }
        } else {
            FOR_EACH_ELEMENT(i, count) {
                zip_run<OP, 1>(p, i / p.width, i % p.width);
            }
        }
    });
}
REGISTER_KERNEL(zip_rows)

__device__ inline float as_float(const void* array, int64_t i, bool is_integer) {
    return is_integer ? float(static_cast<const int32_t*>(array)[i]) : static_cast<const float*>(array)[i];
}

// Any strides, and integers.
extern "C" __global__ void zip_binary(const __grid_constant__ ZipParams p) {
    FOR_EACH_ELEMENT(i, p.count) {
        const float a = as_float(p.a, strided_offset(i, p.shape, p.stride_a), p.a_is_integer);
        const float b = as_float(p.b, strided_offset(i, p.shape, p.stride_b), p.b_is_integer);
        p.y[i] = binary(p.op, a, b);
    }
}
REGISTER_KERNEL(zip_binary)
