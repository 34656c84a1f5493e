// What the backward of series.cuh needs per query, and the gradient of the sink:
//
//   D = dO . O - dLSE        dsink = - sum over batch and queries of exp(sink - LSE) D
#include "../common/rows.cuh"
#include "tile.cuh"

// A warp per query. grid.x = batch * heads * queries / (SERIES_THREADS / 32), rounded up
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
    for (int k = 0; k < p.planes; k++) {
        float sum = 0;
        ring.products(k, [&](int a, int b) {
            const void* const d_output = p.d_output[a];
            const void* const output = p.output[b];
            for (int i = lane; d_output && i < p.value_dim; i += 32) {
                sum += element(d_output, from + i, p.value_storage) * element(output, from + i, p.value_storage);
            }
        });
        sum = fold_lanes<Sum>(sum, 32);
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
    SHARED(float, exponent_smem, [MAX_PLANES][SINK_THREADS]);  // sink - LSE
    SHARED(float, sums_smem, [MAX_PLANES][SINK_THREADS]);
    const SeriesRing<0> ring{p.planes, p.mixed != 0};
    const int head = blockIdx.x, thread = threadIdx.x;
    const int64_t plane = int64_t(p.batch) * p.heads * p.queries;
    for (int k = 0; k < p.planes; k++) {
        sums_smem[k][thread] = 0;
    }
    for (int64_t i = thread; i < int64_t(p.batch) * p.queries; i += SINK_THREADS) {
        const int64_t row = (i / p.queries * p.heads + head) * p.queries + i % p.queries;
        if (p.log_sum[row] == INFINITY) {
            continue;  // sees nothing
        }
        for (int k = 0; k < p.planes; k++) {
            const float* const sink = p.sink[k];
            const float exponent = (sink ? sink[head] : 0) - (k == 0 && p.maximum ? p.maximum[row] : 0);
            exponent_smem[k][thread] = exponent - (k == 0 ? p.log_sum[row] : p.log_sum_exp[k][row]);
        }
        share_smem[0][thread] = expf(exponent_smem[0][thread]);
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
