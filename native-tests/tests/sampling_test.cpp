// SPDX-License-Identifier: Apache-2.0
#include "../reference/statistics.h"
#include "kernel_test.h"

namespace {

class SamplingTest : public KernelTest {
  protected:
    static constexpr int64_t SEED = 11, STREAM = 12, FIRST = 70;

    std::vector<int32_t> integers(const Array& array) { return host<int32_t>(array, array.count); }

    // Numbers [first, first + count) of the stream.
    std::vector<float> uniform(int64_t first, int count) {
        const Array y = unwritten(count);
        run("uniform", {1}, UniformParams{y, nullptr, count, SEED, STREAM, first}, {y});
        return values(y);
    }

    struct Drawn {
        std::vector<int32_t> action;
        std::vector<float> log_prob;
    };

    Drawn draw(const std::vector<float>& logits, int rows, int actions, int64_t stream, const int32_t* counter) {
        const Array sampled = unwritten(rows), log_probs = unwritten(rows);
        run("sample_categorical", {2},
            SampleCategoricalParams{device(logits), sampled, log_probs, counter, rows, SEED, stream, FIRST, actions},
            {sampled, log_probs});
        return {integers(sampled), values(log_probs)};
    }

    void check_categorical(int rows, int actions, bool masked) {
        SCOPED_TRACE(std::to_string(actions) + " actions");
        auto logits = normal(size_t(rows) * actions);
        for (size_t i = 0; i < logits.size(); i++) {
            // Some row's last actions, or all but one, are impossible.
            logits[i] = masked && int(i % actions) >= std::max<int>(1, actions - int(i / actions)) ? -INF_F : 2 * logits[i];
        }
        const Drawn drawn = draw(logits, rows, actions, STREAM, nullptr);
        const auto numbers = uniform(FIRST, rows);
        for (int r = 0; r < rows; r++) {
            const float* row = &logits[size_t(r) * actions];
            const Softmax softmax(row, actions);
            const int chosen = drawn.action[r];
            ASSERT_TRUE(chosen >= 0 && chosen < actions) << chosen;
            EXPECT_NE(row[chosen], -INF_F);
            double below = 0;
            for (int a = 0; a < chosen; a++) below += softmax.probabilities[a];
            // Rounding may move the steps of the cumulative distribution, by less than this.
            const double slack = 1e-6 * (4 + std::sqrt(actions));
            EXPECT_LE(below, numbers[r] + slack);
            EXPECT_GE(below + softmax.probabilities[chosen], numbers[r] - slack);
            EXPECT_TRUE(is_close(drawn.log_prob[r], near(row[chosen] - softmax.log_sum_exp, 2e-6)));
        }
        memory.clear();
    }
};

TEST_F(SamplingTest, ActionsInvertTheCumulativeDistribution) {
    for (int actions : {1, 2, 3, 6, 17, 33, 97, 1030}) {
        check_categorical(70, actions, false);
        check_categorical(33, actions, true);
    }
}

TEST_F(SamplingTest, TheCounterIsAddedToTheStream) {
    const auto logits = normal(97 * 6);
    const Drawn plain = draw(logits, 97, 6, STREAM, nullptr);
    EXPECT_EQ(draw(logits, 97, 6, STREAM - 3, device(std::vector<int32_t>{3})).action, plain.action);
    EXPECT_NE(draw(logits, 97, 6, STREAM, device(std::vector<int32_t>{3})).action, plain.action);
}

TEST_F(SamplingTest, ARowWithoutAnyPossibleActionStaysInRange) {
    std::vector<float> logits(2 * 40, -INF_F);
    std::fill(logits.begin() + 40, logits.end(), NAN_F);
    const Drawn drawn = draw(logits, 2, 40, STREAM, nullptr);
    for (int r = 0; r < 2; r++) {
        EXPECT_EQ(drawn.action[r], 0);
        EXPECT_TRUE(std::isnan(drawn.log_prob[r]));
    }
}

TEST_F(SamplingTest, ArgmaxIsTheFirstOfEquals) {
    for (int width : {1, 2, 5, 17, 33, 97, 1030}) {
        const int rows = 37;
        auto x = normal(size_t(rows) * width);
        for (float& value : x) value = std::rint(value);
        std::fill(x.begin(), x.begin() + width, -INF_F);
        x[2 * width] = NAN_F;
        const Array y = unwritten(rows);
        run("argmax", {2}, ArgmaxParams{device(x), y, rows, width}, {y});
        const auto actual = integers(y);
        for (int r = 0; r < rows; r++) {
            const auto row = x.begin() + r * width;
            if (r != 2) {
                EXPECT_EQ(actual[r], std::max_element(row, row + width) - row) << "width " << width << " row " << r;
            } else if (width > 1) {
                EXPECT_EQ(actual[r], std::max_element(row + 1, row + width) - row) << "NaN is not the largest";
            }
        }
        memory.clear();
    }
}

TEST_F(SamplingTest, NormalActionsFollowBoxAndMuller) {
    for (int dim : {1, 2, 3, 6, 17, 33}) {
        SCOPED_TRACE("dim " + std::to_string(dim));
        const int rows = 70;
        const auto mean = normal(rows * dim), log_std = normal(dim);
        const Array sampled = unwritten(mean.size()), log_probs = unwritten(rows);
        run("sample_gaussian", {2},
            SampleGaussianParams{device(mean), device(log_std), sampled, log_probs, nullptr, rows, SEED, STREAM, FIRST, dim},
            {sampled, log_probs});
        const auto numbers = uniform(2 * FIRST * dim, 2 * rows * dim);
        std::vector<Expected> actions, densities;
        for (int r = 0; r < rows; r++) {
            Sum log_prob;
            for (int d = 0; d < dim; d++) {
                const int i = r * dim + d;
                const double z = std::sqrt(-2 * std::log(double(numbers[2 * i]))) * std::cos(2 * M_PI * numbers[2 * i + 1]);
                actions.push_back(near(mean[i] + std::exp(double(log_std[d])) * z, 3e-6));
                log_prob.add(normal_log_density(z, log_std[d]), z * z / 2 + std::abs(log_std[d]) + 1);
            }
            densities.push_back(near(log_prob.value, 2e-6 * log_prob.size));
        }
        expect_close(values(sampled), actions, "actions");
        expect_close(values(log_probs), densities, "log-probabilities");
        memory.clear();
    }
}

}  // namespace
