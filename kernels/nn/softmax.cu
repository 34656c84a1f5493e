// SPDX-License-Identifier: Apache-2.0
// Softmax of rows and its logarithm, with m = max_i x_i:
//
//   softmax(x)_i     = exp(x_i - m) / sum_j exp(x_j - m)       0 where the whole row is -inf
//   log softmax(x)_i = x_i - m - log sum_j exp(x_j - m)
#include "../common/rows.cuh"
#include "params.h"

extern "C" __global__ void __launch_bounds__(ROW_THREADS) softmax(const __grid_constant__ SoftmaxParams p) {
    for_each_row(p.rows, p.width, [&](const auto& row, int64_t r) {
        const auto x = row.hold(p.x + r * p.width);
        const float largest = row.template fold<Maximum>([&](int j, int i) { return x(j, i); });
        const float shift = largest == -INFINITY ? 0 : largest;
        const float sum = row.template fold<Sum>([&](int j, int i) { return expf(x(j, i) - shift); });
        const float divisor = sum == 0 ? 1 : sum;
        row.each([&](int j, int i) { p.y[r * p.width + i] = expf(x(j, i) - shift) / divisor; });
    });
}
REGISTER_KERNEL(softmax)

extern "C" __global__ void __launch_bounds__(ROW_THREADS) log_softmax(const __grid_constant__ SoftmaxParams p) {
    for_each_row(p.rows, p.width, [&](const auto& row, int64_t r) {
        const auto x = row.hold(p.x + r * p.width);
        const float largest = row.template fold<Maximum>([&](int j, int i) { return x(j, i); });
        const float sum = row.template fold<Sum>([&](int j, int i) { return expf(x(j, i) - largest); });
        const float log_sum = logf(sum);
        row.each([&](int j, int i) { p.y[r * p.width + i] = x(j, i) - largest - log_sum; });
    });
}
REGISTER_KERNEL(log_softmax)
