// Tensor-core products of one warp against plain loops.
#include "mma_test.h"

#include "../cuda-on-cpu/tensor_cores.h"
#include "kernel_test.h"

class Mma : public KernelTest {
  protected:
    static constexpr int N = 32;

    // Checks both products of the values as they are after rounding to the storage type. `unit` is the relative rounding
    // error of the weights, which are rounded once more.
    template <class T, class Store, class Load>
    void check(const char* kernel, int rows, int dim, bool tf32, double unit, Store store, Load load) {
        std::vector<T> x, y;
        for (float value : normal(size_t(rows * dim))) x.push_back(store(value));
        for (float value : normal(size_t(N * dim))) y.push_back(store(value));
        float* s = device(std::vector<float>(size_t(rows * N), NAN_F));
        float* o = device(std::vector<float>(size_t(rows * dim), NAN_F));
        const MmaTestParams params{device(x), device(y), s, o, tf32};
        const auto results = run(kernel, 1, 32, 0, params, {{s, size_t(rows * N)}, {o, size_t(rows * dim)}});
        for (int i = 0; i < rows; i++) {
            std::vector<double> scores(N);
            for (int j = 0; j < N; j++) {
                double size = 0;
                for (int k = 0; k < dim; k++) {
                    const double product = double(load(x[size_t(i * dim + k)])) * load(y[size_t(j * dim + k)]);
                    scores[size_t(j)] += product;
                    size += std::abs(product);
                }
                EXPECT_NEAR(results[0][size_t(i * N + j)], scores[size_t(j)], size * (dim * 1.2e-7 + (tf32 ? unit : 0)));
            }
            for (int d = 0; d < dim; d++) {
                double expected = 0, size = 0;
                for (int j = 0; j < N; j++) {
                    const double product = double(results[0][size_t(i * N + j)]) * load(y[size_t(j * dim + d)]);
                    expected += product;
                    size += std::abs(product);
                }
                EXPECT_NEAR(results[1][size_t(i * dim + d)], expected, size * (N * 1.2e-7 + unit)) << i << ", " << d;
            }
        }
    }
};

TEST_F(Mma, Bf16) {
    check<uint16_t>("mma_test_bf16", 32, 48, false, 0x1p-8, sim::to_bf16, sim::from_bf16);
}

TEST_F(Mma, F16) {
    check<uint16_t>("mma_test_f16", 16, 32, false, 0x1p-11, sim::to_f16, sim::from_f16);
}

TEST_F(Mma, FloatInThreeProductsIsAsExactAsFloat) {
    const auto same = [](float value) { return value; };
    check<float>("mma_test_float", 32, 48, false, 0x1p-20, same, same);
}

TEST_F(Mma, FloatInOneProductIsAsExactAsTf32) {
    const auto same = [](float value) { return value; };
    check<float>("mma_test_float", 32, 48, true, 0x1p-10, same, same);
}
