// SPDX-License-Identifier: Apache-2.0
// Whether a policy has gone too far: one thread, since there is one record of a minibatch at most for each of its shards.
#include "../common/cuda.cuh"
#include "params.h"

// Same as in org.fovea.backend.rl.PpoLoss.
constexpr int STATISTICS = 6, APPROXIMATE_KL = 3;

extern "C" __global__ void __launch_bounds__(1) flag_divergence(const __grid_constant__ DivergenceParams p) {
    double sum = 0;
    for (int record = 0; record < p.records; record++) {
        sum += p.statistics[record * STATISTICS + APPROXIMATE_KL];
    }
    if (sum / double(p.rows) > p.limit) {
        *p.flag = 1;
    }
}
REGISTER_KERNEL(flag_divergence)
