// Elementwise work on strided arrays of up to six axes: y = op(a, b) with broadcasting, and copies between layouts.
#include "../common/cuda.cuh"
#include "params.h"

constexpr int AXES = 6;

// Where element `flat` of a row-major array of this shape lies in an array of these strides.
__device__ inline int64_t strided_offset(int64_t flat, const int32_t (&shape)[AXES], const int32_t (&stride)[AXES]) {
    int64_t offset = 0;
#pragma unroll
    for (int axis = AXES - 1; axis >= 0; axis--) {
        if (shape[axis] > 1) {
            offset += flat % shape[axis] * stride[axis];
            flat /= shape[axis];
        }
    }
    return offset;
}

// Same order as org.fovea.backend.BinaryOp.
enum BinaryOp {
    ADD, SUBTRACT, MULTIPLY, DIVIDE, MIN, MAX, LESS, LESS_EQUAL, EQUAL, TANH_GRADIENT, SIGMOID_GRADIENT, RELU_GRADIENT,
    GELU_GRADIENT
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

__device__ inline float as_float(const void* array, int64_t i, bool is_integer) {
    return is_integer ? float(static_cast<const int32_t*>(array)[i]) : static_cast<const float*>(array)[i];
}

extern "C" __global__ void zip_binary(const __grid_constant__ ZipParams p) {
    FOR_EACH_ELEMENT(i, p.count) {
        const float a = as_float(p.a, strided_offset(i, p.shape, p.stride_a), p.a_is_integer);
        const float b = as_float(p.b, strided_offset(i, p.shape, p.stride_b), p.b_is_integer);
        p.y[i] = binary(p.op, a, b);
    }
}
REGISTER_KERNEL(zip_binary)

extern "C" __global__ void arrange(const __grid_constant__ ArrangeParams p) {
    FOR_EACH_ELEMENT(i, p.count) {
        p.y[strided_offset(i, p.shape, p.stride_y)] = p.x[strided_offset(i, p.shape, p.stride_x)];
    }
}
REGISTER_KERNEL(arrange)

extern "C" __global__ void select_elements(const __grid_constant__ SelectParams p) {
    FOR_EACH_ELEMENT(i, p.count) {
        p.y[i] = p.condition[i] != 0 ? p.a[i] : p.b[i];
    }
}
REGISTER_KERNEL(select_elements)
