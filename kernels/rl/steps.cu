// SPDX-License-Identifier: Apache-2.0
// What surrounds a step of environments: their clocks, the numbers that the network is given, and who is how many-th.
#include "../common/rows.cuh"
#include "params.h"

// Of environments that have acted since the segment began, what came of it; then all stand at the next step.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) advance_steps(const __grid_constant__ AdvanceParams p) {
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        p.stream[0] += p.streams;
    }
    FOR_EACH_ELEMENT(i, p.count) {
        if (p.positions[i]++ < p.origin) {
            continue;
        }
        const bool over = p.terminated[i] != 0 || p.truncated[i] != 0;
        const float so_far = p.discounted_returns[i] * p.gamma + p.rewards[i];
        p.returns[i] = so_far;
        p.discounted_returns[i] = over ? 0 : so_far;
        p.ended[i] = over ? 1 : 0;
        p.ages[i] = over ? 1 : p.ages[i] + 1;
        p.episodes[i] += over ? 1 : 0;
    }
}
REGISTER_KERNEL(advance_steps)

// Kinds of numbers, as in org.fovea.backend.rl.StepEncoding; those from 0 on are columns of `scales`.
enum StepNumber { COPIED = -1, PIXEL = -2, CHOSEN = -3, ACTED = -4, START = -5, PERIODIC = -6, ALLOWED = -7 };

constexpr float FORBIDDEN = -1e30f;
constexpr float BRIGHTEST = 255;
constexpr double LIMIT = 10;

__device__ inline double scale(const int32_t* halves) { return __hiloint2double(halves[1], halves[0]); }

extern "C" __global__ void __launch_bounds__(ROW_THREADS) encode_steps(const __grid_constant__ EncodeParams p) {
    FOR_EACH_ELEMENT(place, p.rows * p.size) {
        const int64_t row = place / p.size;
        const int32_t* const entry = p.elements + place % p.size * 4;
        const int kind = entry[0], a = entry[1], b = entry[2], counted = entry[3], age = p.ages[row] + p.later;
        const float* const observation = p.observations + row * p.observation_size;
        float number = 0;
        if (kind >= 0) {
            const float value = observation[a];
            if (counted >= 0 && float(b + 1) > observation[counted]) {
                number = value;
            } else {
                const int32_t* const column = p.scales + kind * 4;
                const double scaled = (double(value) - scale(column)) * scale(column + 2);
                number = float(scaled > LIMIT ? LIMIT : scaled < -LIMIT ? -LIMIT : scaled);
            }
        } else if (kind == COPIED) {
            number = observation[a];
        } else if (kind == PIXEL) {
            number = observation[a] / BRIGHTEST;
        } else if (kind == CHOSEN) {
            number = age > 1 && p.chosen && static_cast<const int32_t*>(p.actions)[row * p.action_size + a] == b ? 1 : 0;
        } else if (kind == ACTED) {
            number = age > 1 && !p.chosen ? static_cast<const float*>(p.actions)[row * p.action_size + a] : 0;
        } else if (kind == START) {
            number = age == 1 ? 1 : 0;
        } else if (kind == PERIODIC) {
            number = p.table[int64_t(age - 1) * b % p.table_length + a];
        } else if (kind == ALLOWED) {
            number = a >= 0 && (p.allowed == nullptr || p.allowed[row * p.choices + a] != 0) ? 0 : FORBIDDEN;
        }
        p.encoded[place] = number;
    }
}
REGISTER_KERNEL(encode_steps)

// numbers[i] = next + how many flags before i are set, where flag i is, else -1; one block, which then moves `next` on.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) enumerate_flags(const __grid_constant__ EnumerateParams p) {
    SHARED(int32_t, count_smem, [2][ROW_THREADS]);
    const int thread = threadIdx.x;
    int32_t next = p.next[0];
    for (int64_t first = 0; first < p.count; first += ROW_THREADS) {
        const int64_t i = first + thread;
        const int flag = i < p.count && p.flags[i] != 0;
        int side = 0;
        count_smem[side][thread] = flag;
        __syncthreads();
        for (int distance = 1; distance < ROW_THREADS; distance *= 2) {
            count_smem[1 - side][thread] =
                count_smem[side][thread] + (thread >= distance ? count_smem[side][thread - distance] : 0);
            side = 1 - side;
            __syncthreads();
        }
        if (i < p.count) {
            p.numbers[i] = flag ? next + count_smem[side][thread] - 1 : -1;
        }
        next += count_smem[side][ROW_THREADS - 1];
        __syncthreads();
    }
    if (thread == 0) {
        p.next[0] = next;
    }
}
REGISTER_KERNEL(enumerate_flags)
