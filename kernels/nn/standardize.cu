// SPDX-License-Identifier: Apache-2.0
// y = (x - mean) / (std + epsilon) over a whole array. Two launches: the first one writes the mean of each chunk and the
// sum of its squared distances from that mean; in the second one each block merges them (Chan et al. 1979),
//
//   mean = sum_c n_c mean_c / n      squares = sum_c squares_c + n_c (mean_c - mean)^2      std = sqrt(squares / n)
//
// and writes its share of y.
#include "../common/rows.cuh"
#include "../common/vector.cuh"
#include "params.h"

constexpr int STANDARDIZE_ITEMS = 16;
constexpr int64_t STANDARDIZE_CHUNK = ROW_THREADS * STANDARDIZE_ITEMS;

// A block has a chunk, in registers.
extern "C" __global__ void __launch_bounds__(ROW_THREADS)
standardize_moments(const __grid_constant__ StandardizeParams p) {
    const int64_t first = int64_t(blockIdx.x) * STANDARDIZE_CHUNK;
    const int count = int(min(STANDARDIZE_CHUNK, p.count - first));
    float x[STANDARDIZE_ITEMS];
    float sum = 0;
#pragma unroll
    for (int j = 0; j < STANDARDIZE_ITEMS; j++) {
        const int i = threadIdx.x + j * ROW_THREADS;
        x[j] = i < count ? p.x[first + i] : 0;
        sum += x[j];
    }
    const float mean = fold_block<Sum>(sum) / float(count);
    float squares = 0;
#pragma unroll
    for (int j = 0; j < STANDARDIZE_ITEMS; j++) {
        const float centred = int(threadIdx.x) + j * ROW_THREADS < count ? x[j] - mean : 0;
        squares += centred * centred;
    }
    squares = fold_block<Sum>(squares);
    if (threadIdx.x == 0) {
        p.means[blockIdx.x] = mean;
        p.squares[blockIdx.x] = squares;
    }
}
REGISTER_KERNEL(standardize_moments)

extern "C" __global__ void __launch_bounds__(ROW_THREADS) standardize(const __grid_constant__ StandardizeParams p) {
    const int64_t chunks = (p.count + STANDARDIZE_CHUNK - 1) / STANDARDIZE_CHUNK;
    const auto length = [&](int64_t c) { return float(min(STANDARDIZE_CHUNK, p.count - c * STANDARDIZE_CHUNK)); };
    float sum = 0;
    for (int64_t c = threadIdx.x; c < chunks; c += ROW_THREADS) {
        sum += length(c) * p.means[c];
    }
    const float mean = fold_block<Sum>(sum) / float(p.count);
    float squares = 0;
    for (int64_t c = threadIdx.x; c < chunks; c += ROW_THREADS) {
        const float apart = p.means[c] - mean;
        squares += p.squares[c] + length(c) * apart * apart;
    }
    const float divisor = sqrtf(fold_block<Sum>(squares) / float(p.count)) + p.epsilon;
    for_each_run(p.count, aligned16(p.x, p.y), [&](auto run, int64_t i) {
        constexpr int N = decltype(run)::VALUE;
        Floats<N> x = load<N>(p.x + i);
#pragma unroll
        for (int k = 0; k < N; k++) {
            x.v[k] = (x.v[k] - mean) / divisor;
        }
        store<N>(p.y + i, x);
    });
}
REGISTER_KERNEL(standardize)
