// SPDX-License-Identifier: Apache-2.0
// Adam (Kingma and Ba 2014, arXiv:1412.6980) after clipping by global norm:
//
//   norm = sqrt(sum g^2)      g' = g min(1, max_grad_norm / norm)      t = step + 1
//   m = beta1 m + (1 - beta1) g'        v = beta2 v + (1 - beta2) g'^2
//   parameter -= learning_rate weight_decay parameter        where it decays
//   parameter -= learning_rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
//
// A norm that is not finite stops the optimiser. What changes from step to step is in device memory, so that a captured step can be replayed.
#include "../common/last_block.cuh"
#include "../common/rows.cuh"
#include "../common/vector.cuh"
#include "params.h"

// Same as in org.fovea.backend.rl.AdamSettings.
enum AdamState { STATE_LEARNING_RATE, STATE_STEP, STATE_GRADIENT_NORM, STATE_SKIP };

// The numbers that adam_norm leaves for adam_update.
enum AdamStep { GRADIENT_SCALE, STEP_SIZE, SECOND_MOMENT_SCALE, SKIPPED, DECAY };

// The norm, the numbers that all parameters share, and the new state. 1 - beta^t is -expm1(t log(beta)), which keeps its
// digits where beta is near 1.
__device__ inline void prepare_step(const AdamParams& p, float norm) {
    const bool stopped = p.state[STATE_SKIP] != 0, skip = stopped || !is_finite(norm);
    const float step = p.state[STATE_STEP] + 1;
    p.step[GRADIENT_SCALE] = p.max_grad_norm < norm ? p.max_grad_norm / norm : 1;
    p.step[STEP_SIZE] = p.state[STATE_LEARNING_RATE] / -expm1f(step * p.log_beta1);
    p.step[SECOND_MOMENT_SCALE] = 1 / sqrtf(-expm1f(step * p.log_beta2));
    p.step[SKIPPED] = skip ? 1 : 0;
    p.step[DECAY] = p.state[STATE_LEARNING_RATE] * p.weight_decay;
    if (!skip) {
        p.state[STATE_STEP] = step;
    }
    if (!stopped) {
        p.state[STATE_GRADIENT_NORM] = norm;
        p.state[STATE_SKIP] = skip ? 1 : 0;
    }
}

// Sum of squares of each chunk of gradients, a block each. The last block to end adds them up, in order, and prepares the step.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) adam_norm(const __grid_constant__ AdamParams p) {
    const int64_t first = int64_t(blockIdx.x) * p.chunk, last = min(p.count, first + p.chunk);
    float sum = 0;
    for_each_run(first, last, aligned16(p.gradients), threadIdx.x, ROW_THREADS, [&](auto run, int64_t i) {
        constexpr int N = decltype(run)::VALUE;
        const Floats<N> g = load<N>(p.gradients + i);
#pragma unroll
        for (int k = 0; k < N; k++) {
            sum += g.v[k] * g.v[k];
        }
    });
    sum = fold_block<Sum>(sum);
    if (threadIdx.x == 0) {
        p.partial[blockIdx.x] = sum;
    }
    if (!is_last_block(p.counter, p.chunks)) {
        return;
    }
    sum = 0;
    for (int c = threadIdx.x; c < p.chunks; c += ROW_THREADS) {
        sum += p.partial[c];
    }
    const float norm = sqrtf(fold_block<Sum>(sum));
    if (threadIdx.x == 0) {
        prepare_step(p, norm);
    }
}
REGISTER_KERNEL(adam_norm)

extern "C" __global__ void __launch_bounds__(ROW_THREADS) adam_update(const __grid_constant__ AdamParams p) {
    if (p.step[SKIPPED] != 0) {
        return;
    }
    const float scale = p.step[GRADIENT_SCALE], step_size = p.step[STEP_SIZE];
    const float second_moment_scale = p.step[SECOND_MOMENT_SCALE], decay = p.step[DECAY];
    const bool vectors = aligned16(p.parameters, p.gradients, p.decayed, p.first_moment, p.second_moment);
    for_each_run(p.count, vectors, [&](auto run, int64_t i) {
        constexpr int N = decltype(run)::VALUE;
        const Floats<N> g = load<N>(p.gradients + i);
        Floats<N> m = load<N>(p.first_moment + i), v = load<N>(p.second_moment + i), x = load<N>(p.parameters + i);
        const Floats<N> decayed = p.decayed ? load<N>(p.decayed + i) : Floats<N>{};
#pragma unroll
        for (int k = 0; k < N; k++) {
            const float gradient = g.v[k] * scale;
            m.v[k] = p.beta1 * m.v[k] + p.one_minus_beta1 * gradient;
            v.v[k] = p.beta2 * v.v[k] + p.one_minus_beta2 * (gradient * gradient);
            x.v[k] -= decay * decayed.v[k] * x.v[k];
            x.v[k] -= step_size * m.v[k] / (sqrtf(v.v[k]) * second_moment_scale + p.epsilon);
        }
        store<N>(p.first_moment + i, m);
        store<N>(p.second_moment + i, v);
        store<N>(p.parameters + i, x);
    });
}
REGISTER_KERNEL(adam_update)
