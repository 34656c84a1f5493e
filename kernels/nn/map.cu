// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one argument, y[i] = op(x[i]), and the choice between two.
#include "../common/vector.cuh"
#include "params.h"

// Same order as org.fovea.backend.math.UnaryOp.
enum UnaryOp {
    NEGATE, ABS, SIGN, EXP, LOG, SQRT, RSQRT, RECIPROCAL, SQUARE, TANH, SIGMOID, SOFTPLUS, RELU, STEP, GELU, SIN, COS, UNARY_OPS
};

__device__ inline float unary(int op, float x) {
    switch (op) {
        case NEGATE: return -x;
        case ABS: return fabsf(x);
        case SIGN: return x > 0 ? 1.0f : x < 0 ? -1.0f : x;  // keeps NaN, and the zero
        case EXP: return expf(x);
        case LOG: return logf(x);
        case SQRT: return sqrtf(x);
        case RSQRT: return 1 / sqrtf(x);
        case RECIPROCAL: return 1 / x;
        case SQUARE: return x * x;
        case TANH: return tanhf(x);
        case SIGMOID: return 1 / (1 + expf(-x));
        case SOFTPLUS: return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));  // exp of what is not positive: no overflow
        case RELU: return x < 0 ? 0 : x;                                        // keeps NaN
        case STEP: return x > 0 ? 1.0f : 0.0f;
        case GELU: return 0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
        case SIN: return sinf(x);
        default: return cosf(x);
    }
}

extern "C" __global__ void map_unary(const __grid_constant__ MapParams p) {
    with_constant<UNARY_OPS>(p.op, [&](auto op) {
        for_each_run(p.count, aligned16(p.x, p.y), [&](auto run, int64_t i) {
            constexpr int N = decltype(run)::VALUE;
            Floats<N> x = load<N>(p.x + i);
#pragma unroll
            for (int k = 0; k < N; k++) {
                x.v[k] = unary(decltype(op)::VALUE, x.v[k]);
            }
            store<N>(p.y + i, x);
        });
    });
}
REGISTER_KERNEL(map_unary)

extern "C" __global__ void select_elements(const __grid_constant__ SelectParams p) {
    for_each_run(p.count, aligned16(p.condition, p.a, p.b, p.y), [&](auto run, int64_t i) {
        constexpr int N = decltype(run)::VALUE;
        const Floats<N> condition = load<N>(p.condition + i), a = load<N>(p.a + i);
        Floats<N> y = load<N>(p.b + i);
#pragma unroll
        for (int k = 0; k < N; k++) {
            y.v[k] = condition.v[k] != 0 ? a.v[k] : y.v[k];
        }
        store<N>(p.y + i, y);
    });
}
REGISTER_KERNEL(select_elements)
