// SPDX-License-Identifier: Apache-2.0
// Sums and maxima over the middle axis: y[o, i] = op over r of x[o, r, i]. The order of the folds depends on the shape
// alone, so a sum is the same to the bit on every run.
//
// Where few outputs have many terms, the caller cuts the middle axis into chunks, whose results a second launch folds.
#include "../common/rows.cuh"
#include "params.h"

// Same order as org.fovea.backend.math.ReduceOp.
enum ReduceOp { SUM, MAXIMUM };

// Short folds: `lanes` neighbours share an output, one of them for inner > 1, where neighbours have neighbouring outputs.
template <class Op>
__device__ inline void reduce_by_lanes(const ReduceParams& p) {
    const int lane = threadIdx.x % p.lanes, groups = ROW_THREADS / p.lanes;
    const int64_t outputs = p.outer * p.chunks * p.inner;
    for (int64_t first = int64_t(blockIdx.x) * groups; first < outputs; first += int64_t(gridDim.x) * groups) {
        const int64_t output = first + threadIdx.x / p.lanes;
        const int64_t i = output % p.inner, c = output / p.inner % p.chunks, o = output / p.inner / p.chunks;
        const int64_t last = output < outputs ? min(p.reduced, (c + 1) * p.chunk) : 0;
        const float* x = p.x + o * p.reduced * p.inner + i;
        float folded = Op::NEUTRAL;
#pragma unroll 4
        for (int64_t r = c * p.chunk + lane; r < last; r += p.lanes) {
            folded = Op::fold(folded, x[r * p.inner]);
        }
        folded = fold_lanes<Op>(folded, p.lanes);
        if (lane == 0 && output < outputs) {
            p.y[output] = folded;
        }
    }
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS) reduce_short(const __grid_constant__ ReduceParams p) {
    if (p.op == SUM) {
        reduce_by_lanes<Sum>(p);
    } else {
        reduce_by_lanes<Maximum>(p);
    }
}
REGISTER_KERNEL(reduce_short)

// Long folds: a block folds `columns` neighbouring outputs over one chunk; with inner = 1 its threads are along r.
template <class Op>
__device__ inline void reduce_by_blocks(const ReduceParams& p) {
    const int64_t tiles = (p.inner + p.columns - 1) / p.columns;
    for (int64_t block = blockIdx.x; block < p.outer * p.chunks * tiles; block += gridDim.x) {
        const int64_t c = block / tiles % p.chunks, o = block / tiles / p.chunks, first = c * p.chunk;
        const int64_t i = block % tiles * p.columns + threadIdx.x % p.columns;
        const float* x = p.x + (o * p.reduced + first) * p.inner;
        const float folded = fold_column<Op>(x, min(p.chunk, p.reduced - first), p.inner, i, p.columns, p.inner);
        if (int(threadIdx.x) < p.columns && i < p.inner) {
            p.y[(o * p.chunks + c) * p.inner + i] = folded;
        }
    }
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS) reduce_long(const __grid_constant__ ReduceParams p) {
    if (p.op == SUM) {
        reduce_by_blocks<Sum>(p);
    } else {
        reduce_by_blocks<Maximum>(p);
    }
}
REGISTER_KERNEL(reduce_long)
