// SPDX-License-Identifier: Apache-2.0
// The gradient of the sink, given D from the backward kernels, and its tangent, given also r and e from jvp.cu:
//
//   dsink = - sum over batch and queries of p D      dsink. = - sum of p. D + p e      p = exp(sink - L)      p. = p (sink. - r)
#include "../common/rows.cuh"
#include "params.h"

// grid.x = heads
extern "C" __global__ void __launch_bounds__(ROW_THREADS) attention_sink(const __grid_constant__ AttentionParams p) {
    const int head = blockIdx.x;
    const float sink_tangent = p.sink_tangent ? p.sink_tangent[head] : 0;
    float sum = 0;
    for (int64_t i = threadIdx.x; i < int64_t(p.batch) * p.queries; i += ROW_THREADS) {
        const int64_t row = (i / p.queries * p.heads + head) * p.queries + i % p.queries;
        float delta = (p.fitted_delta ? p.fitted_delta : p.delta)[row];
        float delta_tangent = p.fitted_delta_tangent ? p.fitted_delta_tangent[row] : 0;
        // Of a row that the sink has for itself, such as one that sees nothing, dO reaches nothing, whatever it holds.
        const bool alone = p.sink_share[row] == 1;
        if (alone && delta != delta) {
            delta = p.d_log_sum_exp ? -p.d_log_sum_exp[row] : 0;
        }
        if (alone && delta_tangent != delta_tangent) {
            delta_tangent = p.d_log_sum_exp_tangent ? -p.d_log_sum_exp_tangent[row] : 0;
        }
        const float change = p.fitted_delta_tangent ? fmaf(sink_tangent - p.log_sum_exp_tangent[row], delta, delta_tangent) : delta;
        sum = fmaf(-p.sink_share[row], change, sum);
    }
    sum = fold_block<Sum>(sum);
    if (threadIdx.x == 0) {
        p.d_sink[head] = sum;
    }
}
REGISTER_KERNEL(attention_sink)
