// SPDX-License-Identifier: Apache-2.0
// Actions: drawn from a categorical or a diagonal normal policy, or the most probable one. A row belongs to a group of
// lanes, one warp at most.
#include "../common/philox.cuh"
#include "../common/rows.cuh"
#include "params.h"

// f(row, lane) for every row of the launch; lanes that are left without one get row 0 and active = false, since the
// others' folds need every lane of the warp.
template <class F>
__device__ inline void for_each_group(int64_t rows, int lanes, F f) {
    const int groups = ROW_THREADS / lanes, group = threadIdx.x / lanes, lane = threadIdx.x % lanes;
    for (int64_t first = int64_t(blockIdx.x) * groups; first < rows; first += int64_t(gridDim.x) * groups) {
        const bool active = first + group < rows;
        f(active ? first + group : 0, lane, active);
    }
}

// The least index over the group's lanes.
__device__ inline int least(int i, int lanes) {
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
        i = min(i, __shfl_xor_sync(0xFFFFFFFF, i, distance));
    }
    return i;
}

// NaN is never the largest; a row of nothing else gives 0.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) argmax(const __grid_constant__ ArgmaxParams p) {
    const int lanes = row_lanes(p.width);
    for_each_group(p.rows, lanes, [&](int64_t row, int lane, bool active) {
        const float* x = p.x + row * p.width;
        float largest = -INFINITY;
        int at = lane < p.width ? lane : 0;
        for (int i = lane; i < p.width; i += lanes) {
            if (x[i] > largest) {
                largest = x[i];
                at = i;
            }
        }
        const float overall = fold_lanes<Maximum>(largest, lanes);
        const int first = least(largest == overall ? at : INT32_MAX, lanes);
        if (active && lane == 0) {
            p.y[row] = first;
        }
    });
}
REGISTER_KERNEL(argmax)

// The first action whose cumulative weight exp(x - max) reaches the uniform number times the sum of all, among those whose
// weight is not 0; if rounding leaves none, the last of those.
extern "C" __global__ void __launch_bounds__(ROW_THREADS)
sample_categorical(const __grid_constant__ SampleCategoricalParams p) {
    const uint64_t seed = uint64_t(p.seed), stream = replayed_stream(p.stream, p.counter);
    const int lanes = row_lanes(p.actions);
    for_each_group(p.rows, lanes, [&](int64_t row, int lane, bool active) {
        const float* x = p.logits + row * p.actions;
        float largest = -INFINITY;
        for (int i = lane; i < p.actions; i += lanes) {
            largest = Maximum::fold(largest, x[i]);
        }
        largest = fold_lanes<Maximum>(largest, lanes);
        float sum = 0;
        for (int i = lane; i < p.actions; i += lanes) {
            sum += expf(x[i] - largest);
        }
        sum = fold_lanes<Sum>(sum, lanes);
        const float wanted = uniform_number(seed, stream, uint64_t(p.first) + uint64_t(row)) * sum;

        int reached = INT32_MAX, last = -1;  // this lane's candidates
        float before = 0;                    // weight of the actions to the left of the next `lanes`
        for (int first = 0; first < p.actions; first += lanes) {
            const int i = first + lane;
            const float weight = i < p.actions ? expf(x[i] - largest) : 0;
            float cumulative = weight;
            for (int distance = 1; distance < lanes; distance *= 2) {
                const float left = __shfl_up_sync(0xFFFFFFFF, cumulative, distance, lanes);
                cumulative += lane >= distance ? left : 0;
            }
            cumulative += before;
            before = __shfl_sync(0xFFFFFFFF, cumulative, lanes - 1, lanes);
            if (weight > 0) {
                last = i;
                reached = cumulative >= wanted ? min(reached, i) : reached;
            }
        }
        reached = least(reached, lanes);
        last = -least(-last, lanes);
        const int chosen = reached != INT32_MAX ? reached : max(last, 0);
        if (active && lane == 0) {
            p.sampled[row] = chosen;
            p.log_probs[row] = x[chosen] - largest - logf(sum);
        }
    });
}
REGISTER_KERNEL(sample_categorical)

// action = mean + exp(log_std) z with z = sqrt(-2 log u) cos(2 pi v) (Box and Muller 1958), and its log density, the sum of
// -z^2 / 2 - log_std - log(2 pi) / 2.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) sample_gaussian(const __grid_constant__ SampleGaussianParams p) {
    const uint64_t seed = uint64_t(p.seed), stream = replayed_stream(p.stream, p.counter);
    const int lanes = row_lanes(p.dim);
    for_each_group(p.rows, lanes, [&](int64_t row, int lane, bool active) {
        float log_prob = 0;
        for (int d = lane; d < p.dim && active; d += lanes) {
            // The two numbers share a block, as the first one's index is even.
            const uint64_t number = 2 * ((uint64_t(p.first) + uint64_t(row)) * uint64_t(p.dim) + uint64_t(d));
            const PhiloxBlock bits = philox(seed, stream, number / 4);
            const float u = uniform_of(number % 4 ? bits.word[2] : bits.word[0]);
            const float v = uniform_of(number % 4 ? bits.word[3] : bits.word[1]);
            const float z = sqrtf(-2 * logf(u)) * cospif(2 * v), log_std = p.log_std[d];
            p.sampled[row * p.dim + d] = p.mean[row * p.dim + d] + expf(log_std) * z;
            log_prob += -0.5f * z * z - (log_std + 0.9189385332f);
        }
        log_prob = fold_lanes<Sum>(log_prob, lanes);
        if (active && lane == 0) {
            p.log_probs[row] = log_prob;
        }
    });
}
REGISTER_KERNEL(sample_gaussian)
