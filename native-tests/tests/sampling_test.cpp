#include <algorithm>
#include <bit>

#include "kernel_test.h"

class SamplingTest : public KernelTest {
  protected:
    static constexpr int64_t SEED = 11, STREAM = 12, FIRST = 70;

    // Indices that a kernel wrote, which run() hands back as floats.
    static std::vector<int32_t> integers(const std::vector<float>& bits) {
        std::vector<int32_t> values;
        for (float b : bits) {
            values.push_back(std::bit_cast<int32_t>(b));
        }
        return values;
    }

    float* integer_output(int count) { return reinterpret_cast<float*>(device(std::vector<int32_t>(count, -1))); }

    // Numbers [first, first + count) of the stream.
    std::vector<float> uniform(int64_t first, int count) {
        float* y = device(std::vector<float>(count));
        const UniformParams params{y, nullptr, count, SEED, STREAM, first};
        return run("uniform", 1, 256, 0, params, y, count);
    }

    struct Drawn {
        std::vector<int32_t> action;
        std::vector<float> log_prob;
    };

    Drawn draw(const std::vector<float>& logits, int rows, int actions, int64_t stream, const int32_t* counter) {
        float *sampled = integer_output(rows), *log_probs = device(std::vector<float>(rows, NAN_F));
        const SampleCategoricalParams params{device(logits), reinterpret_cast<int32_t*>(sampled), log_probs, counter,
                                             rows, SEED, stream, FIRST, actions};
        const auto out = run("sample_categorical", 2, 256, 0, params, {{sampled, size_t(rows)}, {log_probs, size_t(rows)}});
        return {integers(out[0]), out[1]};
    }

    void check_categorical(int rows, int actions, bool masked) {
        auto logits = normal(size_t(rows) * actions);
        for (size_t i = 0; i < logits.size(); i++) {
            // Some row's last actions, or all but one, are impossible.
            logits[i] = masked && int(i % actions) >= std::max<int>(1, actions - int(i / actions)) ? -INF_F : 2 * logits[i];
        }
        const Drawn drawn = draw(logits, rows, actions, STREAM, nullptr);
        const auto numbers = uniform(FIRST, rows);
        for (int r = 0; r < rows; r++) {
            const float* row = &logits[size_t(r) * actions];
            double sum = 0, below = 0;
            for (int a = 0; a < actions; a++) {
                sum += std::exp(double(row[a]));
            }
            const int chosen = drawn.action[r];
            ASSERT_TRUE(chosen >= 0 && chosen < actions) << chosen;
            EXPECT_NE(row[chosen], -INF_F);
            for (int a = 0; a < chosen; a++) {
                below += std::exp(double(row[a])) / sum;
            }
            // Rounding may move the steps of the cumulative distribution, by less than this.
            const double slack = 1e-6 * (4 + std::sqrt(actions));
            EXPECT_LE(below, numbers[r] + slack);
            EXPECT_GE(below + std::exp(double(row[chosen])) / sum, numbers[r] - slack);
            expect_close(drawn.log_prob[r], row[chosen] - std::log(sum), 2e-6, std::to_string(actions));
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
        for (float& value : x) {
            value = std::rint(value);
        }
        std::fill(x.begin(), x.begin() + width, -INF_F);
        x[2 * width] = NAN_F;
        float* y = integer_output(rows);
        const ArgmaxParams params{device(x), reinterpret_cast<int32_t*>(y), rows, width};
        const auto actual = integers(run("argmax", 2, 256, 0, params, y, rows));
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
        const int rows = 70;
        const auto mean = normal(rows * dim), log_std = normal(dim);
        float *sampled = device(std::vector<float>(mean.size(), NAN_F)), *log_probs = device(std::vector<float>(rows, NAN_F));
        const SampleGaussianParams params{device(mean), device(log_std), sampled, log_probs, nullptr, rows,
                                          SEED,         STREAM,          FIRST,   dim};
        const auto out = run("sample_gaussian", 2, 256, 0, params, {{sampled, mean.size()}, {log_probs, size_t(rows)}});
        const auto numbers = uniform(2 * FIRST * dim, 2 * rows * dim);
        for (int r = 0; r < rows; r++) {
            double log_prob = 0, size = 0;
            for (int d = 0; d < dim; d++) {
                const int i = r * dim + d;
                const double z = std::sqrt(-2 * std::log(double(numbers[2 * i]))) * std::cos(2 * M_PI * numbers[2 * i + 1]);
                expect_close(out[0][i], mean[i] + std::exp(double(log_std[d])) * z, 3e-6, "dim " + std::to_string(dim));
                log_prob -= z * z / 2 + log_std[d] + std::log(2 * M_PI) / 2;
                size += z * z / 2 + std::abs(log_std[d]) + 1;
            }
            expect_close(out[1][r], log_prob, 2e-6 * size, "dim " + std::to_string(dim));
        }
        memory.clear();
    }
}
