// SPDX-License-Identifier: Apache-2.0
// The numbers per query that the backward of series.cuh needs, and the gradient of the sink:
//
//   D = dO . O - dLSE        dsink = - sum over batch and queries of exp(sink - LSE) D
#include "../common/rows.cuh"
#include "tile.cuh"

// Without O where that is 0 throughout, as it is where the query sees nothing: what dO has there counts for nothing. Summed
// as the products dO V^T are, so that D is dP to the bit where one key alone is seen. A warp per query. grid.x = batch * heads * queries / (SERIES_THREADS / 32), rounded up
extern "C" __global__ void __launch_bounds__(SERIES_THREADS) attention_series_delta(
    const __grid_constant__ AttentionSeriesParams p) {
    const SeriesRing<0> ring{p.planes, p.mixed != 0};
    const int lane = threadIdx.x % 32;
    const int64_t rows = int64_t(p.batch) * p.heads * p.queries;
    const int64_t row = int64_t(blockIdx.x) * (SERIES_THREADS / 32) + threadIdx.x / 32;
    if (row >= rows) {
        return;
    }
    const int64_t matrix = row / p.queries;
    const int64_t from = matrix / p.heads * p.output_strides[0] + matrix % p.heads * p.output_strides[1]
                         + row % p.queries * p.output_strides[2];
    float any = 0;
    for (int k = 0; k < p.planes; k++) {
        for (int i = lane; i < p.value_dim; i += 32) {
            any = p.exact_output[k][from + i] == 0 ? any : 1;
        }
    }
    const bool dead = fold_lanes<Maximum>(any, 32) == 0;
    for (int k = 0; k < p.planes; k++) {
        float sum = 0;
        ring.products(k, [&](int a, int b) {
            const void* const d_output = p.d_output[a];
            if (!d_output || dead) {
                return;
            }
            const float* const output = p.exact_output[b];
            for (int column0 = 0; column0 < p.value_dim; column0 += 4 * 32) {
                float x[4], y[4];
                for (int i = 0; i < 4; i++) {
                    const int column = column0 + 4 * lane + i;
                    const bool there = column < p.value_dim;
                    x[i] = there ? element(d_output, from + column, p.value_storage) : 0;
                    y[i] = there ? output[from + column] : 0;
                }
                const float share = dot_of_four({x[0], x[1], x[2], x[3]}, {y[0], y[1], y[2], y[3]});
                for (int other = 0; other < 32 && column0 + 4 * other < p.value_dim; other++) {
                    sum += __shfl_sync(0xFFFFFFFF, share, other);
                }
            }
        });
        if (lane == 0) {
            const float* const d_log_sum_exp = p.d_log_sum_exp[k];
            p.delta[k * rows + row] = sum - (d_log_sum_exp ? d_log_sum_exp[row] : 0);
        }
    }
}
REGISTER_KERNEL(attention_series_delta)

constexpr int SINK_THREADS = 128;

// grid.x = heads
extern "C" __global__ void __launch_bounds__(SINK_THREADS) attention_series_sink(const __grid_constant__ AttentionSeriesParams p) {
    SHARED(float, share_smem, [MAX_PLANES][SINK_THREADS]);     // the sink's probability
    SHARED(float, exponent_smem, [MAX_PLANES][SINK_THREADS]);  // sink - LSE, in plane 0 sink - maximum
    SHARED(float, sums_smem, [MAX_PLANES][SINK_THREADS]);
    const SeriesRing<0> ring{p.planes, p.mixed != 0};
    const int head = blockIdx.x, thread = threadIdx.x;
    const int64_t plane = int64_t(p.batch) * p.heads * p.queries;
    for (int k = 0; k < p.planes; k++) {
        sums_smem[k][thread] = 0;
    }
    for (int64_t i = thread; i < int64_t(p.batch) * p.queries; i += SINK_THREADS) {
        const int64_t row = (i / p.queries * p.heads + head) * p.queries + i % p.queries;
        const float total = p.sum[row];
        if (total == INFINITY) {
            continue;  // nothing is in the sum
        }
        for (int k = 0; k < p.planes; k++) {
            const float* const sink = p.sink[k];
            exponent_smem[k][thread] = (sink ? sink[head] : 0) - (k == 0 ? p.maximum[row] : p.log_sum_exp[k][row]);
        }
        share_smem[0][thread] = expf(exponent_smem[0][thread]) / total;
        ring.exponential(&share_smem[0][thread], SINK_THREADS, &exponent_smem[0][thread], SINK_THREADS);
        for (int k = 0; k < p.planes; k++) {
            float sum = 0;
            ring.products(k, [&](int a, int b) { sum += share_smem[a][thread] * p.delta[b * plane + row]; });
            sums_smem[k][thread] -= sum;
        }
    }
    for (int half = SINK_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        for (int k = 0; thread < half && k < p.planes; k++) {
            sums_smem[k][thread] += sums_smem[k][thread + half];
        }
    }
    for (int k = 0; thread == 0 && k < p.planes; k++) {
        float* const d_sink = p.d_sink[k];
        if (d_sink) {
            d_sink[head] = sums_smem[k][0];
        }
    }
}
REGISTER_KERNEL(attention_series_sink)
