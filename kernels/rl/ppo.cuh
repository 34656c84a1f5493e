// SPDX-License-Identifier: Apache-2.0
// The common part of the PPO losses of all kinds of policy; formulas in org.fovea.backend.rl.PpoLoss.
#pragma once
#include "../common/last_block.cuh"
#include "../common/rows.cuh"
#include "params.h"

// Same order as in org.fovea.backend.rl.PpoLoss.
enum PpoStatistic { POLICY_LOSS, VALUE_LOSS, ENTROPY, APPROXIMATE_KL, CLIPPED, MAX_RATIO_DEVIATION, PPO_STATISTICS };

__device__ inline float larger(float a, float b) { return a > b || a != a ? a : b; }
__device__ inline float smaller(float a, float b) { return a < b || a != a ? a : b; }
__device__ inline float clamped_to(float x, float low, float high) { return larger(smaller(x, high), low); }
__device__ inline float half_square(float x) { return x * x * 0.5f; }

// A thread's part of the statistics: of the rows that it speaks for.
struct PpoSums {
    float sum[MAX_RATIO_DEVIATION] = {};
    float deviation = 0;

    // The derivative of a row's policy loss by the log-probability, for all threads of the row; one of them speaks for it.
    template <class P>
    __device__ float row(const P& p, int64_t r, float log_prob, float entropy, bool speaks) {
        const float log_ratio = log_prob - p.old_log_probs[r], ratio = expf(log_ratio);
        const float clamped = clamped_to(ratio, 1 - *p.clip, 1 + *p.clip);
        const float cost = -p.advantages[r], plain = cost * ratio, bounded = cost * clamped;
        if (speaks) {
            sum[POLICY_LOSS] += larger(plain, bounded);
            sum[ENTROPY] += entropy;
            sum[APPROXIMATE_KL] += ratio - 1 - log_ratio;
            sum[CLIPPED] += ratio == clamped ? 0 : 1;
            deviation = larger(deviation, fabsf(ratio - 1));
            value(p, r);
        }
        return bounded <= plain ? plain : 0;
    }

    // A row's value loss, and its gradient.
    template <class P>
    __device__ void value(const P& p, int64_t r) {
        const float value = p.values[r], target = p.returns[r], error = value - target;
        float loss = half_square(error), gradient = error;
        if (p.value_clip > 0) {
            const float old = p.old_values[r], change = value - old;
            const float bounded = half_square(old + clamped_to(change, -p.value_clip, p.value_clip) - target);
            gradient = fabsf(change) <= p.value_clip || bounded <= loss ? error : 0;
            loss = larger(loss, bounded);
        }
        sum[VALUE_LOSS] += loss;
        p.d_values[r] = gradient * p.value_scale;
    }

    // Adds up the threads of a block, all of which must come.
    __device__ void store(float* partial) const {
#pragma unroll
        for (int s = 0; s < MAX_RATIO_DEVIATION; s++) {
            const float total = fold_block<Sum>(sum[s]);
            if (threadIdx.x == 0) {
                partial[s] = total;
            }
        }
        const float largest = fold_block<Maximum>(deviation);
        if (threadIdx.x == 0) {
            partial[MAX_RATIO_DEVIATION] = largest;
        }
    }
};

// Folds partial [blocks, PPO_STATISTICS + dim] over its blocks, by one block.
__device__ inline void add_up(const float* partial, int blocks, int dim, float* statistics, float* d_log_std) {
    const int width = PPO_STATISTICS + dim, columns = row_lanes(width);
    for (int first = 0; first < width; first += columns) {
        const int column = first + int(threadIdx.x) % columns;
        float folded = fold_column<Sum>(partial, blocks, width, column, columns, width);
        if (first == 0) {
            const float largest = fold_column<Maximum>(partial, blocks, width, column, columns, width);
            folded = column == MAX_RATIO_DEVIATION ? larger(largest, 0) : folded;
        }
        if (int(threadIdx.x) < columns && column < width) {
            (column < PPO_STATISTICS ? statistics[column] : d_log_std[column - PPO_STATISTICS]) = folded;
        }
    }
}
