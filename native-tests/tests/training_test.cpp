#include <algorithm>

#include "kernel_test.h"

class TrainingTest : public KernelTest {
  protected:
    // Rows of a minibatch, the arguments that both policies' kernels take, and what they should give. Log-ratios and
    // changes of the value are clearly inside or outside the clip ranges.
    struct Minibatch {
        std::vector<float> values, old_log_probs, advantages, returns, old_values;
        std::vector<double> d_log_probs, d_values;
        double statistics[6] = {};
    };
    static constexpr float CLIP_LOW = 0.8f, CLIP_HIGH = 1.2f, ENTROPY_COEF = 0.3f, VALUE_SCALE = 0.25f, ROW_WEIGHT = 0.125f;

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

    // The second launch: its statistics, and the gradient of log_std.
    std::vector<std::vector<float>> statistics(const float* partial, int blocks, int dim) {
        float *to = device(std::vector<float>(6, NAN_F)), *d_log_std = device(std::vector<float>(dim, NAN_F));
        const PpoStatisticsParams params{partial, to, d_log_std, blocks, dim};
        return run("ppo_statistics", unsigned(6 + dim + 31) / 32, 256, 0, params, {{to, 6}, {d_log_std, size_t(dim)}});
    }

    void check_statistics(const Minibatch& m, const std::vector<float>& actual, const std::vector<float>& d_values,
                          const std::string& what) {
        const double rows = double(m.values.size());
        for (size_t s = 0; s < 6; s++) {
            expect_close(actual[s], m.statistics[s], s == 4 ? 0 : 1e-5 * (1 + rows / 10), what + " " + std::to_string(s));
        }
        for (size_t r = 0; r < m.values.size(); r++) {
            expect_close(d_values[r], m.d_values[r], 1e-6, what + " d_values");
        }
    }

    void check_categorical(int rows, int actions, unsigned blocks, float value_clip) {
        const std::string what = std::to_string(rows) + "x" + std::to_string(actions);
        auto logits = normal(size_t(rows) * actions);
        std::vector<int32_t> taken(rows);
        std::vector<double> log_probs(rows), entropies(rows), sums(rows);
        for (int r = 0; r < rows; r++) {
            float* row = &logits[size_t(r) * actions];
            taken[r] = r * 5 % actions;
            if (r % 2 && actions > 2) {
                row[(taken[r] + 1) % actions] = -INF_F;
            }
            for (int a = 0; a < actions; a++) {
                sums[r] += std::exp(double(row[a]));
            }
            log_probs[r] = row[taken[r]] - std::log(sums[r]);
            for (int a = 0; a < actions; a++) {
                const double p = std::exp(double(row[a])) / sums[r];
                entropies[r] -= p > 0 ? p * std::log(p) : 0;
            }
        }
        const Minibatch m = minibatch(log_probs, entropies, value_clip);
        const size_t elements = logits.size(), partials = blocks * 6;
        float *d_logits = device(std::vector<float>(elements, NAN_F)), *d_values = device(std::vector<float>(rows, NAN_F));
        float* partial = device(std::vector<float>(partials, NAN_F));
        const PpoCategoricalParams params{device(logits), device(taken), d_logits, device(m.values), device(m.old_log_probs),
                                          device(m.advantages), device(m.returns), device(m.old_values), d_values, partial,
                                          rows, actions, CLIP_LOW, CLIP_HIGH, ENTROPY_COEF, VALUE_SCALE, value_clip,
                                          ROW_WEIGHT};
        const auto out = run("ppo_categorical", blocks, 256, 0, params,
                             {{d_logits, elements}, {d_values, size_t(rows)}, {partial, partials}});
        check_statistics(m, statistics(partial, int(blocks), 0)[0], out[1], what);
        for (size_t i = 0; i < elements; i++) {
            const size_t r = i / actions;
            const double p = std::exp(double(logits[i])) / sums[r], p_log_p = p > 0 ? p * std::log(p) : 0;
            const double from_policy = m.d_log_probs[r] * ((int(i % actions) == taken[r]) - p);
            expect_close(out[0][i], ROW_WEIGHT * (from_policy + ENTROPY_COEF * (p_log_p + p * entropies[r])), 4e-6, what);
        }
        memory.clear();
    }

    void check_gaussian(int rows, int dim, unsigned blocks, float value_clip) {
        const std::string what = std::to_string(rows) + "x" + std::to_string(dim);
        const auto mean = normal(size_t(rows) * dim), noise = normal(mean.size());
        auto log_std = normal(dim), taken = mean;
        std::vector<double> z(mean.size()), log_probs(rows), entropies(rows);
        for (int i = 0; i < dim; i++) {
            log_std[i] /= 4;
        }
        for (size_t i = 0; i < mean.size(); i++) {
            const double s = log_std[i % dim];
            taken[i] = float(mean[i] + std::exp(s) * noise[i]);
            z[i] = (double(taken[i]) - mean[i]) / std::exp(s);
            log_probs[i / dim] -= z[i] * z[i] / 2 + s + std::log(2 * M_PI) / 2;
            entropies[i / dim] += s + std::log(2 * M_PI) / 2 + 0.5;
        }
        const Minibatch m = minibatch(log_probs, entropies, value_clip);
        const size_t partials = blocks * (6 + dim);
        float *d_mean = device(std::vector<float>(mean.size(), NAN_F)), *d_values = device(std::vector<float>(rows, NAN_F));
        float* partial = device(std::vector<float>(partials, NAN_F));
        const PpoGaussianParams params{device(mean), device(log_std), device(taken), d_mean, device(m.values),
                                       device(m.old_log_probs), device(m.advantages), device(m.returns),
                                       device(m.old_values), d_values, partial, rows, dim, CLIP_LOW, CLIP_HIGH,
                                       ENTROPY_COEF, VALUE_SCALE, value_clip, ROW_WEIGHT};
        const auto out = run("ppo_gaussian", blocks, 256, 0, params,
                             {{d_mean, mean.size()}, {d_values, size_t(rows)}, {partial, partials}});
        const auto sums = statistics(partial, int(blocks), dim);
        // A ratio's relative error is its logarithm's error: the rounding of sums of dim terms.
        const double ratio_error = 1e-6 * (dim + 4);
        check_statistics(m, sums[0], out[1], what);
        std::vector<double> d_log_std(dim), size(dim);
        for (size_t i = 0; i < mean.size(); i++) {
            const double g = m.d_log_probs[i / dim], per_row = g * (z[i] * z[i] - 1) - ENTROPY_COEF;
            expect_close(out[0][i], ROW_WEIGHT * g * z[i] / std::exp(double(log_std[i % dim])), 4 * ratio_error, what);
            d_log_std[i % dim] += ROW_WEIGHT * per_row;
            size[i % dim] += ROW_WEIGHT * (std::abs(g) * (z[i] * z[i] + 1) + ENTROPY_COEF);
        }
        for (int d = 0; d < dim; d++) {
            expect_close(sums[1][d], d_log_std[d], ratio_error * size[d], what + " d_log_std");
        }
        memory.clear();
    }
};

TEST_F(TrainingTest, CategoricalPolicyLoss) {
    const int shapes[][3] = {{1, 1, 1}, {33, 2, 1}, {5, 3, 2}, {207, 6, 2}, {97, 33, 3}, {7, 300, 3}};
    for (const auto& [rows, actions, blocks] : shapes) {
        check_categorical(rows, actions, unsigned(blocks), 0);
        check_categorical(rows, actions, unsigned(blocks), 0.2f);
    }
}

TEST_F(TrainingTest, NormalPolicyLoss) {
    const int shapes[][3] = {{1, 1, 1}, {33, 2, 1}, {5, 3, 2}, {207, 6, 2}, {31, 33, 3}, {7, 300, 3}};
    for (const auto& [rows, dim, blocks] : shapes) {
        check_gaussian(rows, dim, unsigned(blocks), 0);
        check_gaussian(rows, dim, unsigned(blocks), 0.2f);
    }
}

TEST_F(TrainingTest, StatisticsOfNoRowsAreZero) {
    EXPECT_EQ(statistics(device(std::vector<float>{}), 0, 0)[0], std::vector<float>(6));
}

TEST_F(TrainingTest, AnActionThatIsNotOneMakesTheLossNaN) {
    const std::vector<float> row = {0.5f};
    for (int32_t taken : {-1, 3}) {
        float *d_logits = device(std::vector<float>(3)), *d_values = device(std::vector<float>(1));
        float* partial = device(std::vector<float>(6));
        const PpoCategoricalParams params{device(normal(3)), device(std::vector<int32_t>{taken}), d_logits, device(row),
                                          device(row), device(row), device(row), device(row), d_values, partial, 1, 3,
                                          CLIP_LOW, CLIP_HIGH, ENTROPY_COEF, VALUE_SCALE, 0, ROW_WEIGHT};
        EXPECT_TRUE(std::isnan(run("ppo_categorical", 1, 256, 0, params, partial, 6)[0]));
        EXPECT_TRUE(std::isnan(statistics(partial, 1, 0)[0][0]));
    }
}

TEST_F(TrainingTest, AdvantagesRunBackwardsThroughBrokenEpisodes) {
    const int shapes[][2] = {{1, 1}, {1, 128}, {5, 17}, {70, 3}, {13, 31}, {9, 33}, {3, 207}};
    for (const auto& [environments, steps] : shapes) {
        const size_t count = size_t(environments) * steps;
        const auto rewards = normal(count), values = normal(count), next_values = normal(count);
        std::vector<float> done(count);
        for (float& d : done) {
            d = random() % 5 == 0 ? 1.0f : 0.0f;
        }
        float *advantages = device(std::vector<float>(count, NAN_F)), *returns = device(std::vector<float>(count, NAN_F));
        const AdvantagesParams params{device(rewards), device(values), device(next_values), device(done), advantages, returns,
                                      environments, steps, 0.99f, 0.95f};
        const auto out = run("advantages", 2, 256, 0, params, {{advantages, count}, {returns, count}});
        for (int e = 0; e < environments; e++) {
            double following = 0;
            for (int t = steps - 1; t >= 0; t--) {
                const size_t i = size_t(e) * steps + t;
                following = rewards[i] + 0.99f * double(next_values[i]) - values[i] + 0.95f * (1.0 - done[i]) * following;
                // The sum of 1 / (1 - 0.95) terms of a few units at most, each rounded.
                expect_close(out[0][i], following, 2e-5, std::to_string(steps));
                expect_close(out[1][i], following + values[i], 2e-5, std::to_string(steps));
            }
        }
        memory.clear();
    }
}

struct AdamCase {
    int count, lead, chunk;
    float beta1, limit;
};

TEST_F(TrainingTest, AdamForSeveralSteps) {
    const AdamCase cases[] = {{1, 0, 4, 0.9f, INF_F},        {33, 1, 32, 0, 0.5f},   {1030, 0, 400, 0.9f, 0.5f},
                              {4099, 3, 2048, 0.9f, 1e6f}, {2048, 0, 2048, 0.9f, 1}};
    for (const AdamCase& c : cases) {
        const float beta2 = 0.999f, epsilon = 1e-5f, rate = 0.01f;
        const std::string what = std::to_string(c.count);
        const size_t count = size_t(c.count);
        const int chunks = (c.count + c.chunk - 1) / c.chunk;
        const auto start = normal(c.lead + count);
        std::vector<double> x(start.begin() + c.lead, start.end()), m(count), v(count);
        float* parameters = device(start) + c.lead;
        float *first = device(std::vector<float>(c.lead + count)) + c.lead;
        float *second = device(std::vector<float>(c.lead + count)) + c.lead;
        float *state = device(std::vector<float>{rate, 0, 0, 0}), *step = device(std::vector<float>(4, NAN_F));
        float* partial = device(std::vector<float>(chunks, NAN_F));
        for (int t = 1; t <= 3; t++) {
            const auto gradients = normal(c.lead + count);
            const AdamParams params{parameters, device(gradients) + c.lead, first, second, state, step, partial, c.count,
                                    c.chunk, chunks, c.beta1, beta2, float(1 - double(c.beta1)), float(1 - double(beta2)),
                                    float(std::log(double(c.beta1))), float(std::log(double(beta2))), epsilon, c.limit};
            run("adam_norm", unsigned(chunks), 256, 0, params, partial, size_t(chunks));
            const auto states = run("adam_prepare", 1, 256, 0, params, {{state, 4}, {step, 4}})[0];
            const auto out = run("adam_update", 2, 256, 0, params, {{parameters, count}, {first, count}, {second, count}});

            double norm = 0;
            for (size_t i = 0; i < count; i++) {
                norm += double(gradients[c.lead + i]) * gradients[c.lead + i];
            }
            norm = std::sqrt(norm);
            EXPECT_EQ(states[1], t);
            expect_close(states[2], norm, 1e-6, what + " norm");
            const double scale = norm > c.limit ? c.limit / norm : 1;
            for (size_t i = 0; i < count; i++) {
                const double g = gradients[c.lead + i] * scale;
                m[i] = c.beta1 * m[i] + (1 - double(c.beta1)) * g;
                v[i] = beta2 * v[i] + (1 - double(beta2)) * g * g;
                const double mean = m[i] / (1 - std::pow(double(c.beta1), t));
                const double square = v[i] / (1 - std::pow(double(beta2), t));
                x[i] -= rate * mean / (std::sqrt(square) + epsilon);
                expect_close(out[0][i], x[i], 4e-7 * t, what + " parameters after step " + std::to_string(t));
                expect_close(out[1][i], m[i], 1e-6, what + " first moment");
                expect_close(out[2][i], v[i], 1e-6, what + " second moment");
            }
        }
        memory.clear();
    }
}

TEST_F(TrainingTest, AdamSkipsWhenTold) {
    const auto start = normal(37);
    float *parameters = device(start), *first = device(start), *second = device(start);
    float *state = device(std::vector<float>{0.1f, 3, 2, 1}), *step = device(std::vector<float>(4, NAN_F));
    float* partial = device(std::vector<float>(1, NAN_F));
    const AdamParams params{parameters, device(std::vector<float>(37, NAN_F)), first, second, state, step, partial, 37, 64, 1,
                            0.9f, 0.999f, 0.1f, 0.001f, std::log(0.9f), std::log(0.999f), 1e-8f, 0.5f};
    run("adam_norm", 1, 256, 0, params, partial, 1);
    EXPECT_EQ(run("adam_prepare", 1, 256, 0, params, {{state, 4}, {step, 4}})[0], (std::vector<float>{0.1f, 3, 2, 1}));
    for (const auto& unchanged : run("adam_update", 1, 256, 0, params, {{parameters, 37}, {first, 37}, {second, 37}})) {
        EXPECT_EQ(unchanged, start);
    }
}
