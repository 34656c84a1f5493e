// SPDX-License-Identifier: Apache-2.0
// Attention kernels where floats come to their limits.
#include "fused_attention.h"

namespace {

class AttentionForward : public FusedAttentionTest {
  protected:
    void check_all(const AttentionProblem& p, const std::vector<Storage>& storages = {Storage::F32}) {
        FusedAttentionTest::check_all(Pass::FORWARD, p, storages);
    }
};

using AttentionBackward = FusedAttentionTest;
using AttentionTangent = FusedAttentionTest;

TEST_F(AttentionForward, ASinkMayOutweighAllScoresOrNone) {
    AttentionProblem p = with_inputs({.heads = 4, .queries = 18, .keys = 21, .dim = 4, .value_dim = 4, .sinks = true});
    p.sink[0] = {-INF_F, -200, 60, 300};
    check_all(p, {Storage::F32, Storage::BF16});
}

// Rows that see no key, or none whose score is a finite number: all goes to the sink.
TEST_F(AttentionForward, ScoresOfMinusInfinityLeaveAllToTheSink) {
    AttentionProblem p = with_inputs({.queries = 3, .keys = 3, .right = 0, .bottom_right = true, .sinks = true, .scale = 1,
                                      .key_lengths = {2}});
    p.query[0] = {1, 1, 1};
    p.key[0] = {-INF_F, -INF_F, 0};
    p.value[0] = {1, 2, 3};
    p.sink[0] = {-0.5f};
    check_all(p, ALL_STORAGES);
    p.query_segments = {0, 0, 1};
    p.key_segments = {1, 1, 1};
    check_all(p, ALL_STORAGES);
}

TEST_F(AttentionForward, WhatIsHiddenMayBeNaN) {
    AttentionProblem p = with_inputs({.queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .right = 0, .key_lengths = {18}});
    for (int i = 18 * 4; i < 24 * 4; i++) p.key[0][i] = p.value[0][i] = NAN_F;  // padding
    p.value[0][10 * 4 + 1] = INF_F;  // seen by queries 10 and later only
    p.key[0][12 * 4] = NAN_F;
    check_all(p, ALL_STORAGES);
    p.key_lengths.clear();
    check_all(with_segments(p, 20, 18), {Storage::F32, Storage::F16});  // other episodes
}

// Query 0 sees one key whose score is 200 below that of the other: exp of that is no float, but its NaN counts.
TEST_F(AttentionForward, AVisibleNaNCountsHoweverSmallItsWeight) {
    AttentionProblem p = with_inputs({.queries = 2, .keys = 3, .right = 1, .scale = 1});
    p.query[0] = {1, 1};
    p.key[0] = {200, 0, 0};
    p.value[0] = {1, NAN_F, 2};
    check_all(p);
}

TEST_F(AttentionForward, LargeScoresDoNotOverflow) {
    AttentionProblem p = with_inputs({.queries = 18, .keys = 40, .dim = 4, .value_dim = 4});
    for (float scale : {8.f, -8.f, 0x1p-140f}) {
        p.scale = scale;
        check_all(p);
    }
}

// However large the scores, weights and their sum are of one piece.
TEST_F(AttentionForward, WeightsOfLargeScoresSumToOne) {
    AttentionProblem p = with_inputs({.queries = 17, .keys = 203, .dim = 4, .value_dim = 3});
    for (std::vector<float>* x : {&p.query[0], &p.key[0]}) {
        for (float& e : *x) e = 80 + e / 80;
    }
    std::fill(p.value[0].begin(), p.value[0].end(), 1.f);
    for (Storage storage : ALL_STORAGES) {
        // Roundings of a weight and of the output.
        const double unit = storage == Storage::F32 ? 1e-6 : 2 * unit_of(storage);
        const Solved solved(p, storage);
        for (const Instance& instance : instances(Pass::FORWARD, storage)) {
            const OnDevice d = check(Pass::FORWARD, instance, solved);
            for (float x : values(d.output)) ASSERT_NEAR(x, 1, unit) << name_of(storage) << " dim " << instance.dim;
        }
    }
}

// Infinities are what float arithmetic makes of them, though a float goes through the tensor cores in two parts.
TEST_F(AttentionForward, InfinitiesThatAreSeen) {
    AttentionProblem p = with_inputs({.queries = 18, .keys = 21, .dim = 4, .value_dim = 4});
    for (float& x : p.query[0]) x = std::abs(x);
    p.key[0][3 * 4 + 1] = p.key[0][3 * 4 + 2] = -INF_F;
    check_all(p);
    p.value[0][5 * 4 + 2] = -INF_F;
    check_all(p);
}

// Neither the sum of large values nor the low parts of small ones leave the range of floats. (A mean of the very largest
// float may be rounded to infinity.)
TEST_F(AttentionForward, ValuesAtTheEndsOfTheRange) {
    for (float scale : {1e-36f, 1e-38f}) {
        AttentionProblem p = with_inputs({.queries = 18, .keys = 21, .dim = 4, .value_dim = 4});
        for (float& x : p.value[0]) x *= scale;
        check_all(p);
    }
    AttentionProblem p = with_inputs({.queries = 70, .keys = 70, .dim = 4});
    for (float value : {3e38f, 3.4e38f}) {
        std::fill(p.value[0].begin(), p.value[0].end(), value);
        check_all(p);
        p.value[0][3] = -value;
        check_all(p);
    }
}

// One key per key head, so that each output is its value.
TEST_F(AttentionForward, TakesMoreHeadsThanAGridHasRows) {
    if (!getenv("FOVEA_DEEP")) {
        GTEST_SKIP() << "66,000 heads take two minutes; set FOVEA_DEEP=1";
    }
    check_all(with_inputs({.batch = 33000, .heads = 2, .group = 2}));
}

TEST_F(AttentionBackward, NegativeAndSmallScale) {
    AttentionProblem p = with_inputs({.queries = 18, .keys = 20, .dim = 4, .value_dim = 4});
    for (float scale : {-2.f, 0x1p-90f}) {
        p.scale = scale;
        check_all(Pass::BACKWARD, p);
    }
}

// One key has nearly all probability, so dP - D is a difference of numbers that are nearly equal: D must have in it what dP was
// rounded by. In dK it is rounded once more.
class AttentionOneKeyDominates : public FusedAttentionTest {
  protected:
    AttentionProblem dominated(int planes, int rows, int dim, float above, bool all) {
        AttentionProblem p = with_inputs({.ring = {false, planes}, .heads = 2, .queries = rows, .keys = rows, .dim = dim,
                                          .value_dim = dim, .sinks = true}, all);
        p.sink[0] = {1, -INF_F};
        for (auto& plane : p.d_log_sum_exp) plane.clear();
        for (float& x : p.key[0]) x *= 0.25f;
        for (size_t row = 0; row < p.rows(); row++) {
            p.query[0][row * dim] = 4;
            p.key[0][row * dim] = int(row) % rows == rows / 2 ? above / 4 * std::sqrt(float(dim)) : 0;
        }
        return p;
    }

    static double largest(const std::vector<float>& values) {
        double result = 0;
        for (float x : values) result = std::max(result, double(std::abs(x)));
        return result;
    }
    static double largest_size(const std::vector<Sum>& sums) {
        double result = 0;
        for (const Sum& x : sums) result = std::max(result, x.size);
        return result;
    }
};

TEST_F(AttentionOneKeyDominates, Backward) {
    for (const Instance& instance : instances(Pass::BACKWARD, Storage::F32)) {
        const int rows = instance.moving == 16 ? 15 : 49;
        for (float above : {9.f, 40.f}) {
            Solved solved(dominated(1, rows, instance.dim, above, false), Storage::F32);
            double delta = 0;
            for (const Sum& x : solved.exact.delta[0]) delta = std::max(delta, std::abs(x.value));
            const double d_score = solved.problem.factor() * delta;
            solved.d_query_error = (above > 20 ? 0x1p-36 : 0x1p-28) * d_score * largest(solved.problem.key[0]);
            solved.d_key_error = (above > 20 ? 0x1p-36 : 0x1p-25) * std::sqrt(rows) * d_score * largest(solved.problem.query[0]);
            check(Pass::BACKWARD, instance, solved);
        }
    }
}

// All probability but 2^-50; W - e is such a difference too.
TEST_F(AttentionOneKeyDominates, Tangent) {
    for (const Instance& instance : instances(Pass::TANGENT, Storage::F32)) {
        for (int rows : {15, 39}) {
            Solved solved(dominated(2, rows, instance.dim, 40, true), Storage::F32);
            solved.d_query_error = 0x1p-36 * largest_size(solved.exact.d_query[1]);
            // The longest rows subtract D and e before the products, with which they are rounded.
            solved.d_key_error = (instance.dim == 256 ? 0x1p-22 : 0x1p-36) * largest_size(solved.exact.d_key[1]);
            check(Pass::TANGENT, instance, solved);
        }
    }
}

// Row sums of the probabilities that each kernel recomputes, at scores where one unit in the last place is a tenth.
TEST_F(AttentionTangent, ProbabilitiesOfLargeScoresSumToOneInEveryKernel) {
    for (Storage storage : ALL_STORAGES) {
        // Query i has scores near 1e6 with all keys; dO_i is row i of the identity, so that dV_j has P_ij in column i.
        AttentionProblem p = with_inputs({.ring = {false, 2}, .queries = 30, .keys = 75, .dim = 20, .value_dim = 30}, false);
        for (float& x : p.query[0]) x = 500 + x;
        for (float& x : p.key[0]) x = 450 + 0.02f * x;
        p.d_output[0].assign(30 * 30, 0);
        for (int i = 0; i < 30; i++) p.d_output[0][i * 30 + i] = 1;
        p.query[1].assign(p.query[1].size(), 0);
        p.key[1].assign(p.key[1].size(), 0);
        p.value[1].assign(p.value[1].size(), 1);  // so that O. is the sum of P
        p = rounded(p, storage);
        OnDevice d = on_device(p, storage);
        const auto run_tiled = [&](Pass pass) {
            const auto all = instances(pass, storage);
            const auto tiled = std::find_if(all.begin(), all.end(), [](const Instance& i) { return !i.whole; });
            run_pass(pass, launches(pass, *tiled, storage, p), d);
        };
        run_tiled(Pass::FORWARD);
        if (storage == Storage::F32) d.params.exact_output = d.output;
        run_tiled(Pass::TANGENT);
        // Of 16 bits, a probability is rounded as an operand and the result once more.
        const double rounding = storage == Storage::F32 ? 4 * 0x1p-24 : 2 * unit_of(storage);
        for (float sum : values(d.output_tangent)) ASSERT_NEAR(sum, 1, rounding) << "jvp in " << name_of(storage);
        run_tiled(Pass::BACKWARD);
        std::vector<double> sums(30);
        const std::vector<float> d_value = values(d.d_value);
        for (size_t i = 0; i < d_value.size(); i++) sums[i % 30] += d_value[i];
        for (double sum : sums) ASSERT_NEAR(sum, 1, rounding) << "backward_columns in " << name_of(storage);
    }
}

}  // namespace
