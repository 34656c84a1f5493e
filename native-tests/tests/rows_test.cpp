// SPDX-License-Identifier: Apache-2.0
#include "../reference/statistics.h"
#include "kernel_test.h"

namespace {

// Widths on all sides of where one lane, one warp with 1, 2, 4 and 8 elements a lane, and a block take a row.
const int WIDTHS[] = {1, 2, 5, 31, 33, 64, 97, 207, 300, 1030};

class RowsTest : public KernelTest {
  protected:
    void check_softmax(int rows, int width, bool log) {
        SCOPED_TRACE("width " + std::to_string(width));
        auto x = normal(size_t(rows) * width);
        for (float& value : x) value = 4 * value + 100;
        std::fill(x.begin(), x.begin() + width, -INF_F);
        if (rows > 2) {
            x[2 * width] = -INF_F;
            if (width == 2) x[2 * width + 1] = -INF_F;
        }
        const Array y = unwritten(x.size());
        run(log ? "log_softmax" : "softmax", {3}, SoftmaxParams{device(x), y, rows, width}, {y});
        std::vector<Softmax> exact;
        for (int r = 0; r < rows; r++) exact.push_back({&x[size_t(r) * width], width});
        expect_each(values(y), [&](size_t i) {
            const Softmax& row = exact[i / width];
            return near(log ? x[i] - row.log_sum_exp : row.probabilities[i % width], 4e-6);
        });
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
        SCOPED_TRACE("width " + std::to_string(width));
        const int rows = width < 10 ? 70 : 13, blocks = 3;
        auto x = normal(size_t(rows) * width);
        for (float& value : x) value += 10;
        const auto gain = normal(width), bias = normal(width), dy = normal(x.size());
        const float epsilon = 1e-3f;
        const Array y = unwritten(x.size()), dx = unwritten(x.size()), mean = unwritten(rows), std = unwritten(rows);
        const Array partial = unwritten(size_t(blocks) * 2 * width), to_gain = unwritten(width), to_bias = unwritten(width);
        const Array counter = stored({0});
        const bool adds = width % 3 != 0;
        const auto added = normal(x.size());
        run("layer_norm", {2}, LayerNormParams{device(x), device(gain), device(bias), y, mean, std, rows, width, epsilon},
            {y, mean, std});
        run("layer_norm_backward", {blocks},
            LayerNormBackwardParams{device(x), device(gain), mean, std, device(dy), adds ? device(added) : nullptr, dx, to_gain,
                                    to_bias, partial, static_cast<int32_t*>(counter.address), rows, width},
            {dx, to_gain, to_bias, counter});
        EXPECT_EQ(values(counter)[0], 0);

        std::vector<Expected> means, stds, ys, dxs;
        std::vector<Sum> d_gain(width), d_bias(width);  // with their errors
        for (int r = 0; r < rows; r++) {
            const size_t first = size_t(r) * width;
            const Moments moments(&x[first], width);
            const double s = 1 / std::sqrt(moments.variance + epsilon);
            means.push_back(near(moments.mean, 1e-6));
            stds.push_back(near(s, 1e-6 * (1 + 10 * s)));
            const auto normal_at = [&](int i) { return (x[first + i] - moments.mean) * s; };
            const auto d_normal = [&](int i) { return double(dy[first + i]) * gain[i]; };
            double d_mean = 0, along = 0;
            for (int i = 0; i < width; i++) {
                d_mean += d_normal(i) / width;
                along += d_normal(i) * normal_at(i) / width;
            }
            // A mean of 14 at most, from sums that round at most 16 times, in standard deviations.
            const double rounding = 16 * 0x1p-24 * 14 * s;
            for (int i = 0; i < width; i++) {
                const float gradient = dy[first + i];
                ys.push_back(near(normal_at(i) * gain[i] + bias[i], 4 * rounding + 2e-6));
                const double more = adds ? added[first + i] : 0;
                dxs.push_back(near(s * (d_normal(i) - d_mean - normal_at(i) * along) + more, s * (8 * rounding + 4e-6) + 2e-7));
                d_gain[i].add(gradient * normal_at(i), std::abs(gradient) * (rounding + 1e-6 * std::abs(normal_at(i))));
                d_bias[i].add(gradient);
            }
        }
        expect_close(values(mean), means, "mean");
        expect_close(values(std), stds, "std");
        expect_close(values(y), ys, "y");
        expect_close(values(dx), dxs, "dx");
        expect_each(values(to_gain), [&](size_t i) { return near(d_gain[i].value, d_gain[i].size); }, "d_gain");
        expect_each(values(to_bias), [&](size_t i) { return near(d_bias[i].value, 1e-5); }, "d_bias");
        memory.clear();
    }
}

TEST_F(RowsTest, RotaryTurnsPairsAtFarPositions) {
    const int shapes[][3] = {{1, 1, 1}, {5, 3, 3}, {70, 2, 8}, {3, 2, 17}, {2, 1, 300}};
    for (const auto& [rows, heads, half] : shapes) {
        SCOPED_TRACE("half " + std::to_string(half));
        for (int sign : {1, -1}) {
            std::vector<int32_t> positions(rows);
            for (int r = 0; r < rows; r++) positions[r] = r % 3 == 1 ? -r : r * 100003;
            const auto x = normal(size_t(rows) * heads * 2 * half);
            const Array y = unwritten(x.size());
            // A second array of one row more or, where the first has one row, none.
            const int more = rows == 1 ? 0 : rows + 1;
            std::vector<int32_t> more_positions(more, 7);
            const auto more_x = normal(size_t(more) * heads * 2 * half);
            const Array more_y = unwritten(more_x.size());
            run("rotary", {2 * tiles(half, 256)},
                RotaryParams{{device(x), device(more_x)}, {device(positions), device(more_positions)}, {y, more_y}, {rows, more},
                             std::log2(10000.0), heads, half, sign},
                {y, more_y});
            expect_each(values(more_y), [&, half = half](size_t at) {
                const int i = int(at % (2 * half));
                const double angle = sign * 7 * std::pow(10000.0, -double(i % half) / half);
                return near(i < half ? more_x[at] * std::cos(angle) - more_x[at + half] * std::sin(angle)
                                     : more_x[at - half] * std::sin(angle) + more_x[at] * std::cos(angle), 1e-6);
            }, "second array");
            expect_each(values(y), [&, half = half, heads = heads](size_t at) {
                const int i = int(at % (2 * half)), r = int(at / (2 * half) / heads);
                const double angle = sign * positions[r] * std::pow(10000.0, -double(i % half) / half);
                return near(i < half ? x[at] * std::cos(angle) - x[at + half] * std::sin(angle)
                                     : x[at - half] * std::sin(angle) + x[at] * std::cos(angle), 1e-6);
            });
            memory.clear();
        }
    }
}

TEST_F(RowsTest, StandardizesArraysOfManyChunks) {
    for (int count : {1, 2, 97, 4096, 4099, 20001}) {
        SCOPED_TRACE(count);
        for (int lead : {0, 1}) {
            auto x = normal(lead + count);
            for (int i = 0; i < count; i++) x[lead + i] += 1000 + (i > 5000 ? 3 : 0);
            const int64_t chunks = tiles(count, 4096);
            const Array y = unwritten(count), means = unwritten(chunks), squares = unwritten(chunks);
            const StandardizeParams params{device(x) + lead, y, means, squares, count, 1e-3f};
            run("standardize_moments", {chunks}, params, {means, squares});
            run("standardize", {3}, params, {y});
            const Moments moments(&x[lead], count);
            expect_each(values(y), [&](size_t i) {  // the mean is within a rounding of 1000
                return near((x[lead + i] - moments.mean) / (std::sqrt(moments.variance) + 1e-3), 5e-4);
            });
            memory.clear();
        }
    }
}

}  // namespace
