#include <algorithm>

#include "kernel_test.h"

// Widths on all sides of where one lane, one warp with 1, 2, 4 and 8 elements a lane, and a block take a row.
const int WIDTHS[] = {1, 2, 5, 31, 33, 64, 97, 207, 300, 1030};

class RowsTest : public KernelTest {
  protected:
    void check_softmax(int rows, int width, bool log) {
        auto x = normal(size_t(rows) * width);
        for (float& value : x) {
            value = 4 * value + 100;
        }
        std::fill(x.begin(), x.begin() + width, -INF_F);
        if (rows > 2) {
            x[2 * width] = -INF_F;
            x[2 * width + width / 2] = width > 2 ? x[2 * width + width / 2] : -INF_F;
        }
        float* y = device(std::vector<float>(x.size(), NAN_F));
        const SoftmaxParams params{device(x), y, rows, width};
        const auto actual = run(log ? "log_softmax" : "softmax", 3, 256, 0, params, y, x.size());
        for (int r = 0; r < rows; r++) {
            const float* row = &x[size_t(r) * width];
            const double largest = *std::max_element(row, row + width);
            double sum = 0;
            for (int i = 0; i < width; i++) {
                sum += std::exp(row[i] - largest);
            }
            for (int i = 0; i < width; i++) {
                const bool nothing = largest == -INF_F;
                const double expected = log ? row[i] - largest - std::log(sum)
                                            : nothing ? 0 : std::exp(row[i] - largest) / sum;
                expect_close(actual[size_t(r) * width + i], expected, 4e-6,
                             std::to_string(width) + ", row " + std::to_string(r));
            }
        }
        memory.clear();
    }
};

TEST_F(RowsTest, SoftmaxOfEveryWidth) {
    for (int width : WIDTHS) {
        check_softmax(5, width, false);
        check_softmax(5, width, true);
    }
    check_softmax(70, 6, false);
    check_softmax(1, 3, true);
}

TEST_F(RowsTest, LayerNormOfEveryWidthFarFromZero) {
    for (int width : WIDTHS) {
        const int rows = width < 10 ? 70 : 13;
        auto x = normal(size_t(rows) * width);
        for (float& value : x) {
            value += 10;
        }
        const auto gain = normal(width), bias = normal(width), dy = normal(x.size());
        const float epsilon = 1e-3f;
        const std::string what = "width " + std::to_string(width);
        float *y = device(std::vector<float>(x.size(), NAN_F)), *dx = device(std::vector<float>(x.size(), NAN_F));
        float *mean = device(std::vector<float>(rows, NAN_F)), *std = device(std::vector<float>(rows, NAN_F));
        const LayerNormParams forward{device(x), device(gain), device(bias), y, mean, std, rows, width, epsilon};
        const auto outputs = run("layer_norm", 2, 256, 0, forward, {{y, x.size()}, {mean, size_t(rows)}, {std, size_t(rows)}});

        const int blocks = 3;
        const size_t partials = size_t(blocks) * 2 * width;
        float* partial = device(std::vector<float>(partials, NAN_F));
        const LayerNormBackwardParams backward{device(x), device(gain), mean, std, device(dy), dx, partial, rows, width};
        const auto d_x = run("layer_norm_backward", blocks, 256, 0, backward, {{dx, x.size()}, {partial, partials}})[0];
        float *to_gain = device(std::vector<float>(width, NAN_F)), *to_bias = device(std::vector<float>(width, NAN_F));
        const LayerNormGradientsParams sums{partial, to_gain, to_bias, blocks, width};
        const auto gradients = run("layer_norm_gradients", unsigned(2 * width + 31) / 32, 256, 0, sums,
                                   {{to_gain, size_t(width)}, {to_bias, size_t(width)}});

        std::vector<double> d_gain(width), d_bias(width), gain_error(width);
        for (int r = 0; r < rows; r++) {
            const float* row = &x[size_t(r) * width];
            double average = 0, variance = 0, d_mean = 0, along = 0;
            for (int i = 0; i < width; i++) {
                average += row[i] / double(width);
            }
            for (int i = 0; i < width; i++) {
                variance += (row[i] - average) * (row[i] - average) / width;
            }
            const double s = 1 / std::sqrt(variance + epsilon);
            expect_close(outputs[1][r], average, 1e-6, what + " mean");
            expect_close(outputs[2][r], s, 1e-6 * (1 + 10 * s), what + " std");
            const auto normal_at = [&](int i) { return (row[i] - average) * s; };
            const auto d_normal = [&](int i) { return double(dy[size_t(r) * width + i]) * gain[i]; };
            for (int i = 0; i < width; i++) {
                d_mean += d_normal(i) / width;
                along += d_normal(i) * normal_at(i) / width;
            }
            for (int i = 0; i < width; i++) {
                const size_t at = size_t(r) * width + i;
                // A mean of 14 at most, from sums that round at most 16 times, in standard deviations.
                const double rounding = 16 * 0x1p-24 * 14 * s;
                expect_close(outputs[0][at], normal_at(i) * gain[i] + bias[i], 4 * rounding + 2e-6, what);
                expect_close(d_x[at], s * (d_normal(i) - d_mean - normal_at(i) * along), s * (8 * rounding + 4e-6),
                             what + " dx");
                d_gain[i] += dy[at] * normal_at(i);
                gain_error[i] += std::abs(dy[at]) * (rounding + 1e-6 * std::abs(normal_at(i)));
                d_bias[i] += dy[at];
            }
        }
        for (int i = 0; i < width; i++) {
            expect_close(gradients[0][i], d_gain[i], gain_error[i], what + " d_gain");
            expect_close(gradients[1][i], d_bias[i], 1e-5, what + " d_bias");
        }
        memory.clear();
    }
}

TEST_F(RowsTest, RotaryTurnsPairsAtFarPositions) {
    const int shapes[][3] = {{1, 1, 1}, {5, 3, 3}, {70, 2, 8}, {3, 2, 17}, {2, 1, 300}};
    for (const auto& [rows, heads, half] : shapes) {
        for (int sign : {1, -1}) {
            std::vector<int32_t> positions(rows);
            for (int r = 0; r < rows; r++) {
                positions[r] = r % 3 == 1 ? -r : r * 100003;
            }
            const auto x = normal(size_t(rows) * heads * 2 * half);
            float* y = device(std::vector<float>(x.size(), NAN_F));
            const unsigned parts = unsigned(half + 255) / 256;
            const RotaryParams params{device(x), device(positions), y, std::log2(10000.0), rows, heads, half, sign};
            const auto actual = run("rotary", 2 * parts, 256, 0, params, y, x.size());
            for (size_t at = 0; at < x.size(); at++) {
                const int i = int(at % (2 * half)), r = int(at / (2 * half) / heads);
                const double angle = sign * positions[r] * std::pow(10000.0, -double(i % half) / half);
                const double turned = i < half ? x[at] * std::cos(angle) - x[at + half] * std::sin(angle)
                                               : x[at - half] * std::sin(angle) + x[at] * std::cos(angle);
                expect_close(actual[at], turned, 1e-6, "half " + std::to_string(half) + " position "
                                                           + std::to_string(positions[r]));
            }
            memory.clear();
        }
    }
}

TEST_F(RowsTest, StandardizesArraysOfManyChunks) {
    for (int count : {1, 2, 97, 4096, 4099, 20001}) {
        for (int lead : {0, 1}) {
            auto x = normal(lead + count);
            for (int i = 0; i < count; i++) {
                x[lead + i] = 1000 + x[lead + i] + (i > 5000 ? 3 : 0);
            }
            const int chunks = (count + 4095) / 4096;
            float* y = device(std::vector<float>(count, NAN_F));
            float *means = device(std::vector<float>(chunks, NAN_F)), *squares = device(std::vector<float>(chunks, NAN_F));
            const StandardizeParams params{device(x) + lead, y, means, squares, count, 1e-3f};
            run("standardize_moments", unsigned(chunks), 256, 0, params,
                {{means, size_t(chunks)}, {squares, size_t(chunks)}});
            const auto actual = run("standardize", 3, 256, 0, params, y, count);
            double mean = 0, variance = 0;
            for (int i = 0; i < count; i++) {
                mean += x[lead + i] / double(count);
            }
            for (int i = 0; i < count; i++) {
                variance += (x[lead + i] - mean) * (x[lead + i] - mean) / count;
            }
            for (int i = 0; i < count; i++) {
                // The mean is within a rounding of 1000.
                expect_close(actual[i], (x[lead + i] - mean) / (std::sqrt(variance) + 1e-3), 5e-4, std::to_string(count));
            }
            memory.clear();
        }
    }
}
