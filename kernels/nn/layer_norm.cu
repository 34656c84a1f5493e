// SPDX-License-Identifier: Apache-2.0
// Layer normalisation of rows (Ba et al. 2016, arXiv:1607.06450) and its gradients. With s = 1 / sqrt(variance + epsilon),
// n = (x - mean) s and dn = dy gain:
//
//   y  = n gain + bias                         d_gain = sum over rows of dy n
//   dx = s (dn - mean(dn) - n mean(dn n))      d_bias = sum over rows of dy
//
// The variance is that of x - mean: the difference of two sums of squares would have no digits left far from zero.
#include "../common/last_block.cuh"
#include "../common/rows.cuh"
#include "params.h"

extern "C" __global__ void __launch_bounds__(ROW_THREADS) layer_norm(const __grid_constant__ LayerNormParams p) {
    for_each_row(p.rows, p.width, [&](const auto& row, int64_t r) {
        const auto x = row.hold(p.x + r * p.width);
        const float mean = row.template fold<Sum>([&](int j, int i) { return x(j, i); }) / float(p.width);
        const float squares = row.template fold<Sum>([&](int j, int i) {
            const float centred = x(j, i) - mean;
            return centred * centred;
        });
        const float s = 1 / sqrtf(squares / float(p.width) + p.epsilon);
        row.each([&](int j, int i) { p.y[r * p.width + i] = (x(j, i) - mean) * s * p.gain[i] + p.bias[i]; });
        if (row.leads()) {
            p.mean[r] = mean;
            p.reciprocal_std[r] = s;
        }
    });
}
REGISTER_KERNEL(layer_norm)

// sum(column, x) for the sum x of each column of x [rows, width], by one block. memory_smem: [ROW_THREADS]
template <class F>
__device__ inline void sum_columns(const float* x, int rows, int width, float* memory_smem, F sum) {
    int lanes = WARP_LANES;  // threads side by side have columns side by side; what is left shares the rows
    while (lanes < width && lanes < ROW_THREADS) {
        lanes *= 2;
    }
    const int groups = ROW_THREADS / lanes, group = int(threadIdx.x) / lanes, lane = int(threadIdx.x) % lanes;
    for (int column = lane; column - lane < width; column += lanes) {
        float total = 0;
        if (column < width) {
#pragma unroll 16
            for (int r = group; r < rows; r += groups) {
                total += x[int64_t(r) * width + column];
            }
        }
        memory_smem[threadIdx.x] = total;
        __syncthreads();
        if (group == 0 && column < width) {
            for (int other = 1; other < groups; other++) {
                total += memory_smem[other * lanes + lane];
            }
            sum(column, total);
        }
        __syncthreads();  // before the next columns' sums come there
    }
}

// Also leaves what the block's rows add to d_gain and d_bias, which the last block to end adds up, in order: the caller's number
// of blocks must follow from the shape alone for the sums to be the same on every device.
extern "C" __global__ void __launch_bounds__(ROW_THREADS)
layer_norm_backward(const __grid_constant__ LayerNormBackwardParams p) {
    SHARED(float, memory_smem, [ROW_THREADS * MAX_ITEMS]);
    with_rows(p.rows, p.width, [&](auto all) {
        float* partial = p.partial + int64_t(blockIdx.x) * 2 * p.width;
        ColumnSums<decltype(all)::ITEMS> d_gain(all, partial), d_bias(all, partial + p.width);
        all.for_each([&](const auto& row, int64_t r) {
            const float mean = p.mean[r], s = p.reciprocal_std[r];
            const auto x = row.hold(p.x + r * p.width);
            const auto dy = row.hold(p.dy + r * p.width);
            const auto normal = [&](int j, int i) { return (x(j, i) - mean) * s; };
            const auto d_normal = [&](int j, int i) { return dy(j, i) * p.gain[i]; };
            const float d_mean = row.template fold<Sum>(d_normal) / float(p.width);
            const float along = row.template fold<Sum>([&](int j, int i) { return d_normal(j, i) * normal(j, i); })
                                / float(p.width);
            row.each([&](int j, int i) {
                const float n = normal(j, i), upstream = dy(j, i);
                d_gain.add(j, i, upstream * n);
                d_bias.add(j, i, upstream);
                const float dx = s * (d_normal(j, i) - d_mean - n * along);
                p.dx[r * p.width + i] = p.added ? p.added[r * p.width + i] + dx : dx;
            });
        });
        d_gain.store(memory_smem);
        __syncthreads();
        d_bias.store(memory_smem);
    });
    if (is_last_block(p.counter, int(gridDim.x))) {
        sum_columns(p.partial, int(gridDim.x), 2 * p.width, memory_smem, [&](int column, float sum) {
            (column < p.width ? p.d_gain[column] : p.d_bias[column - p.width]) = sum;
        });
    }
}
REGISTER_KERNEL(layer_norm_backward)
