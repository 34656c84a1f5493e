// SPDX-License-Identifier: Apache-2.0
// Parameters of the kernels in this directory: one struct for all environments; read by ../common/params.awk, which says what
// a field may be.
#pragma once
#include <cstdint>

// One step of `count` copies of an environment, by environment.cuh
struct EnvironmentParams {
    int32_t* state;             // header, then planes of [count], see environment.cuh
    int64_t tables[4];          // addresses of the state's tables, each [width, count]
    const int32_t* choices;     // [count, action_size], where actions are choices
    const float* values;        // [count, action_size], where they are numbers
    const float* bounds;        // null, or [2, action_size]: lowest and highest numbers, which the policy's are brought to
    float* observations;        // [count, observation_size], as final_observations
    float* rewards;             // [count], as the next two
    int32_t* terminated;
    int32_t* truncated;
    float* final_observations;
    int32_t* action_masks;      // null, or [count, choice_count]: 1 where a choice is allowed, else 0
    int64_t constants[32];      // bytes of the environment's Constants
    int32_t constant_bytes;
    int32_t state_bytes;        // of the environment's State
    int32_t count;
    int32_t observation_size;
    int32_t action_size;
    int32_t choice_count;       // of all parts of an action together
    int32_t time_limit;         // steps after which an episode is truncated
    int32_t tanh;               // 1: the policy's numbers go through the hyperbolic tangent first
};

#include "env_layout.h"
