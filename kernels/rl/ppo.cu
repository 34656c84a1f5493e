// SPDX-License-Identifier: Apache-2.0
// Statistics of the PPO losses and their gradients for the network's outputs: one pass over the rows, in which each block
// leaves its part of the sums, and the last block to end adds the parts up, in order. The number of blocks must follow from
// the shape alone for the sums to be the same on every device.
#include <type_traits>

#include "ppo.cuh"

// The softmax of a part of a row, for all threads of the row.
template <class Row>
struct PartSoftmax {
    typename Row::Held x;
    float largest, log_sum, entropy;

    __device__ PartSoftmax(const Row& row, const float* logits) : x(row.hold(logits)) {
        largest = row.template fold<Maximum>([&](int j, int i) { return x(j, i); });
        log_sum = logf(row.template fold<Sum>([&](int j, int i) { return expf(x(j, i) - largest); }));
        entropy = -row.template fold<Sum>([&](int j, int i) { return weighted_log(log_prob(x(j, i))); });
    }

    __device__ float log_prob(float logit) const { return logit - largest - log_sum; }

    __device__ static float weighted_log(float log_prob) {
        const float prob = expf(log_prob);
        return prob > 0 ? prob * log_prob : 0;
    }
};

// An action has parts, each chosen by a softmax of its own. With l = log softmax(logits) of a part, p = exp(l), H = -sum p l,
// and g the derivative of the row's policy loss by the log-probability of the action, the sum of its parts':
//
//   d_logits_i = row_weight (g ([i is the part's choice] - p_i) + entropy_coef (p_i l_i + p_i H))
//
// A choice that is not one of the part's makes its loss NaN, which the caller's checks find.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) ppo_categorical(const __grid_constant__ PpoCategoricalParams p) {
    PpoSums sums;
    for_each_row(p.rows, p.actions, [&](const auto& row, int64_t r) {
        using Softmax = PartSoftmax<std::decay_t<decltype(row)>>;
        const float* logits = p.logits + r * p.parts * p.actions;
        const int32_t* taken = p.taken + r * p.parts;
        const auto taken_log_prob = [&](const Softmax& softmax, int part) {
            const bool exists = taken[part] >= 0 && taken[part] < p.actions;
            return exists ? softmax.log_prob(logits[part * p.actions + taken[part]]) : NAN;
        };
        Softmax softmax(row, logits);
        float log_prob = taken_log_prob(softmax, 0), entropy = softmax.entropy;
        for (int part = 1; part < p.parts; part++) {
            softmax = Softmax(row, logits + part * p.actions);
            log_prob += taken_log_prob(softmax, part);
            entropy += softmax.entropy;
        }
        const float d_log_prob = sums.row(p, r, log_prob, entropy, row.leads());
        // Backwards, as the last part's softmax is at hand.
        for (int part = p.parts - 1; part >= 0; part--) {
            if (part < p.parts - 1) {
                softmax = Softmax(row, logits + part * p.actions);
            }
            float* d_logits = p.d_logits + (r * p.parts + part) * p.actions;
            row.each([&](int j, int i) {
                const float l = softmax.log_prob(softmax.x(j, i)), prob = expf(l);
                const float from_policy = ((i == taken[part] ? 1.0f : 0.0f) - prob) * d_log_prob;
                const float from_entropy = (Softmax::weighted_log(l) + prob * softmax.entropy) * p.entropy_coef;
                d_logits[i] = (from_policy + from_entropy) * p.row_weight;
            });
        }
    });
    sums.store(p.partial + int64_t(blockIdx.x) * PPO_STATISTICS);
    if (is_last_block(p.counter, int(gridDim.x))) {
        add_up(p.partial, int(gridDim.x), 0, p.statistics, nullptr);
    }
}
REGISTER_KERNEL(ppo_categorical)

// With z = (action - mean) / std and g the derivative of the row's policy loss by its log density
// sum -z^2 / 2 - log_std - log(2 pi) / 2, whose entropy is sum log_std + log(2 pi) / 2 + 1 / 2:
//
//   d_mean = row_weight g z / std      d_log_std = sum over rows of row_weight (g (z^2 - 1) - entropy_coef)
extern "C" __global__ void __launch_bounds__(ROW_THREADS) ppo_gaussian(const __grid_constant__ PpoGaussianParams p) {
    constexpr float HALF_LOG_2_PI = 0.9189385332f;
    SHARED(float, memory_smem, [ROW_THREADS * MAX_ITEMS]);
    float* partial = p.partial + int64_t(blockIdx.x) * (PPO_STATISTICS + p.dim);
    PpoSums sums;
    with_rows(p.rows, p.dim, [&](auto all) {
        ColumnSums<decltype(all)::ITEMS> d_log_std(all, partial + PPO_STATISTICS);
        all.for_each([&](const auto& row, int64_t r) {
            const auto mean = row.hold(p.mean + r * p.dim);
            const auto action = row.hold(p.taken + r * p.dim);
            const auto z = [&](int j, int i) { return (action(j, i) - mean(j, i)) * expf(-p.log_std[i]); };
            const float log_prob = row.template fold<Sum>([&](int j, int i) {
                return z(j, i) * z(j, i) * -0.5f - (p.log_std[i] + HALF_LOG_2_PI);
            });
            const float entropy = row.template fold<Sum>([&](int, int i) {
                return p.log_std[i] + (HALF_LOG_2_PI + 0.5f);
            });
            const float d_log_prob = sums.row(p, r, log_prob, entropy, row.leads());
            row.each([&](int j, int i) {
                const float distance = z(j, i);
                p.d_mean[r * p.dim + i] = distance * d_log_prob * expf(-p.log_std[i]) * p.row_weight;
                d_log_std.add(j, i, ((distance * distance - 1) * d_log_prob - p.entropy_coef) * p.row_weight);
            });
        });
        d_log_std.store(memory_smem);
    });
    sums.store(partial);
    if (is_last_block(p.counter, int(gridDim.x))) {
        add_up(p.partial, int(gridDim.x), p.dim, p.statistics, p.d_log_std);
    }
}
REGISTER_KERNEL(ppo_gaussian)
