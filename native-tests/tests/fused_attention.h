// SPDX-License-Identifier: Apache-2.0
// The fixture that runs kernels/attention on a problem, each instance that fits, and compares with the reference.
#pragma once
#include "attention_launch.h"
#include "attention_problem.h"

enum class Pass { FORWARD, BACKWARD, TANGENT };

class FusedAttentionTest : public AttentionTest {
  protected:
    // An instance of the kernels of a pass: with whole heads, or tiled, with so many stationary and moving rows to a tile.
    struct Instance {
        bool whole;
        int dim, rows, moving, moving_queries;  // moving queries where keys are stationary
    };
    static std::vector<Instance> instances(Pass pass, Storage storage);

    // A problem in device memory, with room for what the kernels write.
    struct OnDevice {
        AttentionParams params;
        Array output, log_sum_exp, maximum, normalizer, sink_share, exact_output, delta, d_query, d_key, d_value, d_sink;
        Array output_tangent, log_sum_exp_tangent, delta_tangent, fitted_delta, fitted_delta_tangent;
    };
    // What backward kernels need of the forward pass is that of `exact`, if it is given.
    OnDevice on_device(const AttentionProblem& p, Storage storage, const AttentionSolution* exact = nullptr);

    // Of an instance, one after the other; none if heads are too long for it.
    static std::vector<AttentionLaunch> launches(Pass pass, const Instance& instance, Storage storage, const AttentionProblem& p);
    void run_pass(Pass pass, const std::vector<AttentionLaunch>& launches, const OnDevice& d);

    // A problem rounded to a storage type, its solution, and that of naive loops which round as well.
    struct Solved {
        AttentionProblem problem;
        Storage storage;
        AttentionSolution exact, naive;
        double d_query_error = 0, d_key_error = 0;  // absolute, in place of the errors of random inputs
        Solved(const AttentionProblem& p, Storage type);
        // Of plane 0 of a result; in 16 bits, within `factor` times the error of the naive loops.
        std::vector<Expected> expected(SumPlanes AttentionSolution::*array, double factor) const;
    };

    // Gives what it compared, with no arrays if heads are too long for the instance.
    OnDevice check(Pass pass, const Instance& instance, const Solved& solved);
    // By the tightest tiled and the tightest whole-head instances, or by every one.
    void check_all(Pass pass, const AttentionProblem& p, const std::vector<Storage>& storages = {Storage::F32}, bool every = false);

  private:
    void check_forward(const OnDevice& d, const Solved& solved);
    void check_backward(const OnDevice& d, const Solved& solved, bool of_delta);
    void check_tangent(const OnDevice& d, const Solved& solved, bool of_sink);
    std::vector<float> sink_gradient(const OnDevice& d, const AttentionParams& params);
    void check_state(const OnDevice& d, const Solved& solved, double error);
};
