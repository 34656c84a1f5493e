// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.h"

namespace {

using MapTest = KernelTest;

TEST_F(MapTest, EveryFunctionEqualsFloat64) {
    // In the order of org.fovea.backend.math.UnaryOp.
    double (*const functions[])(double) = {
        [](double x) { return -x; },
        [](double x) { return std::abs(x); },
        [](double x) { return std::isnan(x) ? x : (x > 0) - (x < 0); },
        [](double x) { return std::exp(x); },
        [](double x) { return std::log(x); },
        [](double x) { return std::sqrt(x); },
        [](double x) { return 1 / std::sqrt(x); },
        [](double x) { return 1 / x; },
        [](double x) { return x * x; },
        [](double x) { return std::tanh(x); },
        [](double x) { return 1 / (1 + std::exp(-x)); },
        [](double x) { return x > 30 ? x : std::log1p(std::exp(x)); },
        [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); },
        [](double x) { return x > 0 ? 1.0 : 0.0; },
        [](double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); },
        [](double x) { return std::sin(x); },
        [](double x) { return std::cos(x); },
    };
    std::vector<float> x = normal(1021);
    for (float special : {0.0f, 1e-20f, -40.0f, 40.0f, 85.0f, -85.0f, NAN_F}) x.push_back(special);
    for (size_t op = 0; op < std::size(functions); op++) {
        const Array y = unwritten(x.size());
        run("map_unary", {3}, MapParams{device(x), y, int64_t(x.size()), int(op)}, {y});
        expect_each(values(y), [&](size_t i) { return near(functions[op](x[i]), 2e-6); }, "op " + std::to_string(op));
    }
}

}  // namespace
