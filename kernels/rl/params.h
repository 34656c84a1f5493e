// SPDX-License-Identifier: Apache-2.0
// Parameters of the kernels in this directory, one by-value struct each; read by ../common/params.awk, which says what a
// field may be.
#pragma once
#include <cstdint>

// y[r] = index of the largest of x[r, :], the first of equals
struct ArgmaxParams {
    const float* x;             // [rows, width]
    int32_t* y;                 // [rows]
    int64_t rows;
    int32_t width;
};

// One action per row, by inversion of uniform number first + row of the stream (seed, stream)
struct SampleCategoricalParams {
    const float* logits;        // [rows, actions]
    int32_t* sampled;           // [rows]
    float* log_probs;           // [rows]
    const int32_t* counter;     // null, or [1]: added to stream, so that a captured step draws anew at each replay
    int64_t rows;
    int64_t seed;
    int64_t stream;
    int64_t first;
    int32_t actions;
};

// Element (row, d) from uniform numbers 2 ((first + row) dim + d) and the next of the stream (seed, stream)
struct SampleGaussianParams {
    const float* mean;          // [rows, dim]
    const float* log_std;       // [dim]
    float* sampled;             // [rows, dim]
    float* log_probs;           // [rows]
    const int32_t* counter;     // null, or [1]: added to stream, so that a captured step draws anew at each replay
    int64_t rows;
    int64_t seed;
    int64_t stream;
    int64_t first;
    int32_t dim;
};

// The clocks of some environments, once around
struct AdvanceParams {
    const float* rewards;       // [count]
    const int32_t* terminated;  // [count]
    const int32_t* truncated;   // [count]
    int32_t* positions;         // [count]; what is below origin has not acted yet
    int32_t* ages;              // [count]
    int32_t* episodes;          // [count]
    float* discounted_returns;  // [count]
    int32_t* stream;            // [1]
    float* ended;               // [count], written where there is an outcome
    float* returns;             // [count], likewise
    int64_t count;
    int32_t origin;
    int32_t streams;            // added to stream
    float gamma;
};

// encoded[row, i], as entry i says
struct EncodeParams {
    const int32_t* elements;    // [size, 4]: kind, a, b, c
    const int32_t* scales;      // [columns, 4]: halves of a mean and of a reciprocal, in float64
    const float* table;         // [table_length]
    const float* observations;  // [rows, observation_size]
    const void* actions;        // [rows, action_size], int32_t if chosen, else float
    const int32_t* ages;        // [rows]
    const int32_t* allowed;     // [rows, choices] or null
    float* encoded;             // [rows, size]
    int64_t rows;
    int64_t size;
    int64_t observation_size;
    int32_t action_size;
    int32_t choices;
    int32_t table_length;
    int32_t later;              // added to ages
    int32_t chosen;
};

// The number of each flag that is set among those that are
struct EnumerateParams {
    const int32_t* flags;       // [count]
    int32_t* next;              // [1], the number of the first; moved on
    int32_t* numbers;           // [count], -1 where the flag is 0
    int64_t count;
};

// Generalised advantage estimation
struct AdvantagesParams {
    const float* rewards;       // [environments, steps], as are all others
    const float* values;
    const float* next_values;
    const float* done;
    float* advantages;
    float* returns;
    int64_t environments;
    int32_t steps;
    float gamma;
    float gamma_lambda;
};

// The PPO loss of a categorical policy, whose actions have parts
struct PpoCategoricalParams {
    const float* logits;        // [rows, parts, actions]
    const int32_t* taken;       // [rows, parts]
    float* d_logits;            // [rows, parts, actions]
    const float* values;        // [rows], as are the next four
    const float* old_log_probs;
    const float* advantages;
    const float* returns;
    const float* old_values;
    const float* clip;          // [1]: range of the ratio
    float* d_values;            // [rows]
    float* statistics;          // [6], in the order of org.fovea.backend.rl.PpoLoss
    float* partial;             // scratch [blocks, 6]: each block's part of the statistics
    int32_t* counter;           // [1], 0 before and after
    int64_t rows;
    int32_t parts;
    int32_t actions;
    float entropy_coef;
    float value_scale;          // row_weight times the coefficient of the value loss
    float value_clip;           // 0 for none
    float row_weight;
};

// The PPO loss of a diagonal normal policy
struct PpoGaussianParams {
    const float* mean;          // [rows, dim]
    const float* log_std;       // [dim]
    const float* taken;         // [rows, dim]
    float* d_mean;              // [rows, dim]
    const float* values;        // [rows], as are the next four
    const float* old_log_probs;
    const float* advantages;
    const float* returns;
    const float* old_values;
    const float* clip;          // [1]: range of the ratio
    float* d_values;            // [rows]
    float* statistics;          // [6], in the order of org.fovea.backend.rl.PpoLoss
    float* d_log_std;           // [dim]
    float* partial;             // scratch [blocks, 6 + dim]: each block's part of the statistics, and of d_log_std
    int32_t* counter;           // [1], 0 before and after
    int64_t rows;
    int32_t dim;
    float entropy_coef;
    float value_scale;          // row_weight times the coefficient of the value loss
    float value_clip;           // 0 for none
    float row_weight;
};

// Sets the flag if the mean divergence of some rows is above the limit
struct DivergenceParams {
    const float* statistics;    // [records, 6], in the order of org.fovea.backend.rl.PpoLoss
    float* flag;                // [1]
    double limit;
    int64_t rows;
    int32_t records;
};

// Adam with clipping by global norm, in two launches: adam_norm, adam_update
struct AdamParams {
    float* parameters;          // [count]
    const float* gradients;     // [count]
    const float* decayed;       // null, or [count]: 1 where weights decay, else 0
    float* first_moment;        // [count]
    float* second_moment;       // [count]
    float* state;               // [4], by the indices of org.fovea.backend.rl.AdamSettings
    float* step;                // scratch [5], from adam_norm to adam_update
    float* partial;             // scratch [chunks]: sums of squared gradients
    int32_t* counter;           // [1], 0 before and after
    int64_t count;
    int64_t chunk;              // elements that a block of adam_norm takes, a multiple of 4
    int32_t chunks;
    float beta1;
    float beta2;
    float one_minus_beta1;
    float one_minus_beta2;
    float log_beta1;
    float log_beta2;
    float epsilon;
    float max_grad_norm;
    float weight_decay;
};

#include "rl_layout.h"
