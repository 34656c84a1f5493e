// SPDX-License-Identifier: Apache-2.0
// Tensor-core products of one warp against plain loops.
#include "mma_test.h"

#include "kernel_test.h"

namespace {

constexpr int N = 32;

struct MmaCase {
    const char* name;
    const char* kernel;
    Storage storage;
    int rows, dim;
    int precision;  // as in rounded.cuh
    double unit;    // the relative rounding error of the weights, which are rounded once more
};

class Mma : public KernelTest, public testing::WithParamInterface<MmaCase> {};

INSTANTIATE_TEST_SUITE_P(
    , Mma,
    testing::Values(MmaCase{"Bf16", "mma_test_bf16", Storage::BF16, 32, 48, 0, 0x1p-8},
                    MmaCase{"F16", "mma_test_f16", Storage::F16, 16, 32, 0, 0x1p-11},
                    MmaCase{"FloatInThreeProducts", "mma_test_float", Storage::F32, 32, 48, 0, 0x1p-20},
                    MmaCase{"FloatInOneProduct", "mma_test_float", Storage::F32, 32, 48, 1, 0x1p-10},
                    MmaCase{"FloatRoundedToBf16", "mma_test_float", Storage::F32, 32, 48, 2, 0x1p-8}),
    [](const auto& info) { return info.param.name; });

// Both products, of the values as they are after rounding to the storage type.
TEST_P(Mma, EqualsPlainLoops) {
    const auto& [name, kernel, storage, rows, dim, precision, unit] = GetParam();
    const Array x = stored(normal(rows * dim), storage), y = stored(normal(N * dim), storage);
    const Array s = unwritten(rows * N), o = unwritten(rows * dim);
    run(kernel, {1, 32}, MmaTestParams{x, y, s, o, precision}, {s, o});
    std::vector<float> xs = values(x), ys = values(y);
    const std::vector<float> scores = values(s);
    if (precision == 2) {  // the factors are those of bf16, to the last bit
        xs = values(stored(xs, Storage::BF16)), ys = values(stored(ys, Storage::BF16));
    }
    std::vector<Expected> expected_scores, expected;
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < N; j++) {
            Sum sum;
            for (int k = 0; k < dim; k++) sum.add(double(xs[i * dim + k]) * ys[j * dim + k]);
            expected_scores.push_back({sum.value, sum.size * (dim * 1.2e-7 + (precision == 1 ? unit : 0))});
        }
        for (int d = 0; d < dim; d++) {
            Sum sum;
            for (int j = 0; j < N; j++) sum.add(double(scores[i * N + j]) * ys[j * dim + d]);
            expected.push_back({sum.value, sum.size * (N * 1.2e-7 + unit)});
        }
    }
    expect_close(scores, expected_scores, "S");
    expect_close(values(o), expected, "O");
}

}  // namespace
