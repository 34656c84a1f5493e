// SPDX-License-Identifier: Apache-2.0
// Generalised advantage estimation (Schulman et al. 2015, arXiv:1506.02438), backwards in time:
//
//   advantage_t = delta_t + decay_t advantage_{t+1}      delta_t = reward_t + gamma next_value_t - value_t
//   return_t = advantage_t + value_t                     decay_t = gamma lambda (1 - done_t)
//
// An environment belongs to a group of lanes, one warp at most, which take neighbouring steps, so that memory is read in
// whole lines. Steps t and later are the map a -> delta_t + decay_t a, and such maps are composed by a scan over the lanes;
// what comes out at the first lane is carried to the steps before.
#include "../common/rows.cuh"
#include "params.h"

extern "C" __global__ void __launch_bounds__(ROW_THREADS) advantages(const __grid_constant__ AdvantagesParams p) {
    const int lanes = row_lanes(p.steps), groups = ROW_THREADS / lanes;
    const int group = threadIdx.x / lanes, lane = threadIdx.x % lanes;
    for (int64_t first = int64_t(blockIdx.x) * groups; first < p.environments; first += int64_t(gridDim.x) * groups) {
        const int64_t environment = first + group;
        float carried = 0;
        for (int start = (p.steps - 1) / lanes * lanes; start >= 0; start -= lanes) {
            const int64_t t = environment * p.steps + start + lane;
            const bool active = environment < p.environments && start + lane < p.steps;
            const float value = active ? p.values[t] : 0;
            float delta = active ? p.rewards[t] + p.gamma * p.next_values[t] - value : 0;
            float decay = active ? p.gamma_lambda * (1 - p.done[t]) : 0;
            for (int distance = 1; distance < lanes; distance *= 2) {
                const float later_delta = __shfl_down_sync(0xFFFFFFFF, delta, distance, lanes);
                const float later_decay = __shfl_down_sync(0xFFFFFFFF, decay, distance, lanes);
                if (lane + distance < lanes) {
                    delta += decay * later_delta;
                    decay *= later_decay;
                }
            }
            const float advantage = delta + decay * carried;
            carried = __shfl_sync(0xFFFFFFFF, advantage, 0, lanes);
            if (active) {
                p.advantages[t] = advantage;
                p.returns[t] = advantage + value;
            }
        }
    }
}
REGISTER_KERNEL(advantages)
