// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "../reference/statistics.h"
#include "kernel_test.h"

namespace {

class TrainingTest : public KernelTest {
  protected:
    // Rows of a minibatch, the arguments that both policies' kernels take, and what they should give. Log-ratios and
    // changes of the value are clearly inside or outside the clip ranges.
    struct Minibatch {
        std::vector<float> values, old_log_probs, advantages, returns, old_values;
        std::vector<double> d_log_probs, d_values;
        double statistics[6] = {};
    };
    static constexpr float CLIP = 0.2f, CLIP_LOW = 1 - CLIP, CLIP_HIGH = 1 + CLIP, ENTROPY_COEF = 0.3f, VALUE_SCALE = 0.25f, ROW_WEIGHT = 0.125f;

    Minibatch minibatch(const std::vector<double>& log_probs, const std::vector<double>& entropies, float value_clip) {
        const size_t rows = log_probs.size();
        const double steps[] = {0.01, 0.05, -0.05, 0.5, -0.5};
        Minibatch m{normal(rows), std::vector<float>(rows), normal(rows), normal(rows), std::vector<float>(rows), {}, {}, {}};
        for (size_t r = 0; r < rows; r++) {
            m.old_log_probs[r] = float(log_probs[r] - steps[r % 5]);
            m.old_values[r] = float(m.values[r] - steps[r / 5 % 5]);
            const double log_ratio = log_probs[r] - m.old_log_probs[r], ratio = std::exp(log_ratio);
            const double plain = -m.advantages[r] * ratio;
            const double bounded = -m.advantages[r] * std::clamp(ratio, double(CLIP_LOW), double(CLIP_HIGH));
            m.d_log_probs.push_back(plain >= bounded ? plain : 0);
            const double error = double(m.values[r]) - m.returns[r], change = double(m.values[r]) - m.old_values[r];
            double value_loss = error * error / 2, d_value = error;
            if (value_clip > 0) {
                const double limited =
                    m.old_values[r] + std::clamp(change, -double(value_clip), double(value_clip)) - m.returns[r];
                d_value = std::abs(change) <= value_clip || limited * limited / 2 <= value_loss ? error : 0;
                value_loss = std::max(value_loss, limited * limited / 2);
            }
            m.d_values.push_back(VALUE_SCALE * d_value);
            m.statistics[0] += std::max(plain, bounded);
            m.statistics[1] += value_loss;
            m.statistics[2] += entropies[r];
            m.statistics[3] += ratio - 1 - log_ratio;
            m.statistics[4] += ratio < CLIP_LOW || ratio > CLIP_HIGH;
            m.statistics[5] = std::max(m.statistics[5], std::abs(ratio - 1));
        }
        return m;
    }

    void check(const Minibatch& m, const std::vector<float>& actual, const Array& d_values) {
        expect_each(values(d_values), [&](size_t r) { return near(m.d_values[r], 1e-6); }, "d_values");
        expect_each(actual, [&](size_t s) {
            return near(m.statistics[s], s == 4 ? 0 : 1e-5 * (1 + double(m.values.size()) / 10));
        }, "statistics");
    }

    void check_categorical(int rows, int parts, int actions, int blocks, float value_clip) {
        SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(parts) + "x" + std::to_string(actions));
        auto logits = normal(size_t(rows) * parts * actions);
        std::vector<int32_t> taken(size_t(rows) * parts);
        std::vector<double> log_probs(rows), entropies(rows);
        std::vector<Softmax> policy;
        for (int i = 0; i < rows * parts; i++) {
            float* part = &logits[size_t(i) * actions];
            taken[i] = i * 5 % actions;
            if (i % 2 && actions > 2) {
                part[(taken[i] + 1) % actions] = i % 4 == 1 ? -INF_F : -1e30f;
            }
            policy.push_back({part, actions});
            log_probs[i / parts] += part[taken[i]] - policy[i].log_sum_exp;
            entropies[i / parts] += policy[i].entropy;
        }
        const Minibatch m = minibatch(log_probs, entropies, value_clip);
        const Array d_logits = unwritten(logits.size()), d_values = unwritten(rows), partial = unwritten(blocks * 6);
        const Array statistics = unwritten(6), counter = stored({0});
        run("ppo_categorical", {blocks},
            PpoCategoricalParams{device(logits), device(taken), d_logits, device(m.values), device(m.old_log_probs),
                                 device(m.advantages), device(m.returns), device(m.old_values), device(std::vector<float>{CLIP}), d_values, statistics, partial,
                                 static_cast<int32_t*>(counter.address), rows, parts, actions, ENTROPY_COEF, VALUE_SCALE, value_clip, ROW_WEIGHT},
            {d_logits, d_values, statistics, counter});
        EXPECT_EQ(values(counter)[0], 0);
        check(m, values(statistics), d_values);
        expect_each(values(d_logits), [&](size_t i) {
            const int part = int(i / actions), a = int(i % actions);
            const double p = policy[part].probabilities[a], p_log_p = p > 0 ? p * std::log(p) : 0;
            const double from_policy = m.d_log_probs[part / parts] * ((a == taken[part]) - p);
            const double from_entropy = ENTROPY_COEF * (p_log_p + p * policy[part].entropy);
            return near(ROW_WEIGHT * (from_policy + from_entropy), 4e-6 * parts);
        }, "d_logits");
        memory.clear();
    }

    void check_gaussian(int rows, int dim, int blocks, float value_clip) {
        SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(dim));
        const auto mean = normal(size_t(rows) * dim), noise = normal(mean.size());
        auto log_std = normal(dim), taken = mean;
        for (float& s : log_std) s /= 4;
        std::vector<double> z(mean.size()), log_probs(rows), entropies(rows);
        for (size_t i = 0; i < mean.size(); i++) {
            const double s = log_std[i % dim];
            taken[i] = float(mean[i] + std::exp(s) * noise[i]);
            z[i] = (double(taken[i]) - mean[i]) / std::exp(s);
            log_probs[i / dim] += normal_log_density(z[i], s);
            entropies[i / dim] += s + std::log(2 * M_PI) / 2 + 0.5;
        }
        const Minibatch m = minibatch(log_probs, entropies, value_clip);
        const Array d_mean = unwritten(mean.size()), d_values = unwritten(rows), partial = unwritten(size_t(blocks) * (6 + dim));
        const Array statistics = unwritten(6), to_log_std = unwritten(dim), counter = stored({0});
        run("ppo_gaussian", {blocks},
            PpoGaussianParams{device(mean), device(log_std), device(taken), d_mean, device(m.values), device(m.old_log_probs),
                              device(m.advantages), device(m.returns), device(m.old_values), device(std::vector<float>{CLIP}), d_values, statistics,
                              to_log_std, partial, static_cast<int32_t*>(counter.address), rows, dim,
                              ENTROPY_COEF, VALUE_SCALE, value_clip, ROW_WEIGHT},
            {d_mean, d_values, statistics, to_log_std, counter});
        EXPECT_EQ(values(counter)[0], 0);
        check(m, values(statistics), d_values);
        // A ratio's relative error is its logarithm's error: the rounding of sums of dim terms.
        const double ratio_error = 1e-6 * (dim + 4);
        std::vector<Sum> d_log_std(dim);
        for (size_t i = 0; i < mean.size(); i++) {
            const double g = m.d_log_probs[i / dim];
            d_log_std[i % dim].add(ROW_WEIGHT * (g * (z[i] * z[i] - 1) - ENTROPY_COEF),
                                   ROW_WEIGHT * (std::abs(g) * (z[i] * z[i] + 1) + ENTROPY_COEF));
        }
        expect_each(values(d_mean), [&](size_t i) {
            return near(ROW_WEIGHT * m.d_log_probs[i / dim] * z[i] / std::exp(double(log_std[i % dim])), 4 * ratio_error);
        }, "d_mean");
        expect_each(values(to_log_std), [&](size_t d) { return near(d_log_std[d].value, ratio_error * d_log_std[d].size); }, "d_log_std");
        memory.clear();
    }
};

TEST_F(TrainingTest, CategoricalPolicyLoss) {
    const int shapes[][4] = {{1, 1, 1, 1},  {33, 1, 2, 1},  {5, 1, 3, 2}, {207, 1, 6, 2},
                             {97, 1, 33, 3}, {7, 1, 300, 3}, {33, 3, 5, 2}, {9, 2, 70, 1}, {3, 2, 300, 2}};
    for (const auto& [rows, parts, actions, blocks] : shapes) {
        check_categorical(rows, parts, actions, blocks, 0);
        check_categorical(rows, parts, actions, blocks, 0.2f);
    }
}

TEST_F(TrainingTest, NormalPolicyLoss) {
    const int shapes[][3] = {{1, 1, 1}, {33, 2, 1}, {5, 3, 2}, {207, 6, 2}, {31, 33, 3}, {7, 300, 3}};
    for (const auto& [rows, dim, blocks] : shapes) {
        check_gaussian(rows, dim, blocks, 0);
        check_gaussian(rows, dim, blocks, 0.2f);
    }
}

TEST_F(TrainingTest, StatisticsOfNoRowsAreZero) {
    const Array statistics = unwritten(6), partial = unwritten(6), counter = stored({0});
    PpoCategoricalParams params{};
    params.statistics = statistics, params.partial = partial, params.counter = static_cast<int32_t*>(counter.address);
    params.parts = 1, params.actions = 2;
    run("ppo_categorical", {1}, params, {statistics, counter});
    EXPECT_EQ(values(statistics), std::vector<float>(6));
}

TEST_F(TrainingTest, AnActionThatIsNotOneMakesTheLossNaN) {
    const std::vector<float> row = {0.5f};
    for (int32_t taken : {-1, 3}) {
        const Array d_logits = unwritten(3), d_values = unwritten(1), partial = unwritten(6);
        const Array statistics = unwritten(6), counter = stored({0});
        const PpoCategoricalParams params{device(normal(3)), device(std::vector<int32_t>{taken}), d_logits, device(row),
                                          device(row), device(row), device(row), device(row), device(row), d_values,
                                          statistics, partial, static_cast<int32_t*>(counter.address), 1, 1, 3,
                                          ENTROPY_COEF, VALUE_SCALE, 0, ROW_WEIGHT};
        run("ppo_categorical", {1}, params, {statistics, counter});
        EXPECT_TRUE(std::isnan(values(statistics)[0]));
    }
}

TEST_F(TrainingTest, AdvantagesRunBackwardsThroughBrokenEpisodes) {
    const int shapes[][2] = {{1, 1}, {1, 128}, {5, 17}, {70, 3}, {13, 31}, {9, 33}, {3, 207}};
    for (const auto& [environments, steps] : shapes) {
        const size_t count = size_t(environments) * steps;
        const auto rewards = normal(count), value = normal(count), next_value = normal(count);
        std::vector<float> done(count);
        for (float& d : done) d = random() % 5 == 0 ? 1.0f : 0.0f;
        const Array advantages = unwritten(count), returns = unwritten(count);
        run("advantages", {2},
            AdvantagesParams{device(rewards), device(value), device(next_value), device(done), advantages, returns, environments,
                             steps, 0.99f, 0.95f},
            {advantages, returns});
        std::vector<Expected> expected(count), expected_returns(count);
        for (int e = 0; e < environments; e++) {
            double following = 0;
            for (int t = steps - 1; t >= 0; t--) {
                const size_t i = size_t(e) * steps + t;
                following = rewards[i] + 0.99f * double(next_value[i]) - value[i] + 0.95f * (1.0 - done[i]) * following;
                // The sum of 1 / (1 - 0.95) terms of a few units at most, each rounded.
                expected[i] = near(following, 2e-5);
                expected_returns[i] = near(following + value[i], 2e-5);
            }
        }
        expect_close(values(advantages), expected, "advantages");
        expect_close(values(returns), expected_returns, "returns");
        memory.clear();
    }
}

struct AdamCase {
    int count, lead, chunk;
    float beta1, limit, decay;
};

TEST_F(TrainingTest, AdamForSeveralSteps) {
    for (const AdamCase& c : {AdamCase{1, 0, 4, 0.9f, INF_F, 0}, {33, 1, 32, 0, 0.5f, 0}, {1030, 0, 400, 0.9f, 0.5f, 0.1f},
                              {4099, 3, 2048, 0.9f, 1e6f, 1}, {2048, 0, 2048, 0.9f, 1, 0}}) {
        const float beta2 = 0.999f, epsilon = 1e-5f, rate = 0.01f;
        const size_t count = size_t(c.count);
        const int chunks = int(tiles(c.count, c.chunk));
        const auto start = normal(c.lead + count);
        std::vector<double> x(start.begin() + c.lead, start.end()), m(count), v(count);
        const auto from_lead = [&](const std::vector<float>& values) { return Array{device(values) + c.lead, count}; };
        const Array parameters = from_lead(start), first = from_lead(std::vector<float>(start.size()));
        const Array second = from_lead(std::vector<float>(start.size()));
        const Array state = stored({rate, 0, 0, 0}), step = unwritten(5), partial = unwritten(chunks);
        const Array counter = stored({0});
        // The second half decays.
        std::vector<float> decays(start.size());
        for (size_t i = c.lead + count / 2; i < decays.size(); i++) decays[i] = 1;
        const float* decayed = c.decay > 0 ? device(decays) + c.lead : nullptr;
        for (int t = 1; t <= 3; t++) {
            SCOPED_TRACE(std::to_string(c.count) + ", step " + std::to_string(t));
            const auto gradients = normal(c.lead + count);
            const AdamParams params{parameters, device(gradients) + c.lead, decayed, first, second, state, step, partial,
                                    static_cast<int32_t*>(counter.address), c.count,
                                    c.chunk, chunks, c.beta1, beta2, float(1 - double(c.beta1)), float(1 - double(beta2)),
                                    float(std::log(double(c.beta1))), float(std::log(double(beta2))), epsilon, c.limit, c.decay};
            run("adam_norm", {chunks}, params, {state, step, counter});
            EXPECT_EQ(values(counter)[0], 0);
            run("adam_update", {2}, params, {parameters, first, second});

            double norm = 0;
            for (size_t i = 0; i < count; i++) norm += double(gradients[c.lead + i]) * gradients[c.lead + i];
            norm = std::sqrt(norm);
            const std::vector<float> states = values(state);
            EXPECT_EQ(states[1], t);
            EXPECT_TRUE(is_close(states[2], near(norm, 1e-6)));
            const double scale = norm > c.limit ? c.limit / norm : 1;
            for (size_t i = 0; i < count; i++) {
                const double g = gradients[c.lead + i] * scale;
                m[i] = c.beta1 * m[i] + (1 - double(c.beta1)) * g;
                v[i] = beta2 * v[i] + (1 - double(beta2)) * g * g;
                const double mean = m[i] / (1 - std::pow(double(c.beta1), t));
                const double square = v[i] / (1 - std::pow(double(beta2), t));
                x[i] -= rate * double(c.decay) * decays[c.lead + i] * x[i];
                x[i] -= rate * mean / (std::sqrt(square) + epsilon);
            }
            expect_each(values(parameters), [&](size_t i) { return near(x[i], 4e-7 * t); }, "parameters");
            expect_each(values(first), [&](size_t i) { return near(m[i], 1e-6); }, "first moment");
            expect_each(values(second), [&](size_t i) { return near(v[i], 1e-6); }, "second moment");
        }
        memory.clear();
    }
}

TEST_F(TrainingTest, TheFlagIsRaisedWhereTheMeanDivergenceIsBeyondItsLimit) {
    // Two records of 3 and 5 rows, whose sums of the divergence, the fourth number, are 0.5 and 1.5: a mean of 0.25.
    const float* statistics = device(std::vector<float>{9, 9, 9, 0.5f, 9, 9, 9, 9, 9, 1.5f, 9, 9});
    for (const auto& [limit, before, after] : std::vector<std::array<double, 3>>{{0.2499, 0, 1}, {0.25, 0, 0}, {0.25, 1, 1}}) {
        const Array flag = stored({float(before)});
        run("flag_divergence", {1, 1}, DivergenceParams{statistics, flag, limit, 8, 2}, {flag});
        EXPECT_EQ(values(flag), std::vector<float>{float(after)}) << "limit " << limit << ", flag " << before;
    }
}

TEST_F(TrainingTest, AdamSkipsWhenTold) {
    const auto start = normal(37);
    const std::vector<float> before{0.1f, 3, 2, 1};
    const Array parameters = stored(start), first = stored(start), second = stored(start);
    const Array state = stored(before), step = unwritten(5), partial = unwritten(1), counter = stored({0});
    const AdamParams params{parameters, device(std::vector<float>(37, NAN_F)), device(start), first, second, state, step, partial, static_cast<int32_t*>(counter.address), 37, 64, 1,
                            0.9f, 0.999f, 0.1f, 0.001f, std::log(0.9f), std::log(0.999f), 1e-8f, 0.5f, 0.1f};
    run("adam_norm", {1}, params, {state, step, counter});
    EXPECT_EQ(values(state), before);
    run("adam_update", {2}, params, {parameters, first, second});
    for (const Array& unchanged : {parameters, first, second}) EXPECT_EQ(values(unchanged), start);
}

}  // namespace
