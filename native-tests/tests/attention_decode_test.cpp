#include "../cuda-on-cpu/tensor_cores.h"
#include "kernel_test.h"

class AttentionDecodeTest : public KernelTest {
  protected:
    struct Case {
        int batch, heads, capacity, dim, value_dim, warps;
        std::string text() const {
            return "batch " + std::to_string(batch) + " heads " + std::to_string(heads) + " capacity "
                   + std::to_string(capacity) + " dims " + std::to_string(dim) + ", " + std::to_string(value_dim)
                   + " warps " + std::to_string(warps);
        }
    };

    // `unit` is the rounding error of the storage type, which weights are not rounded to.
    template <class T, class Store, class Load>
    void check(const std::string& kernel, const Case& c, double unit, Store to_storage, Load from_storage) {
        const int rows = c.batch * c.heads, newest = (c.capacity * 2) / 3;
        auto stored = [&](const std::vector<float>& values) {
            std::vector<T> result;
            for (float x : values) result.push_back(to_storage(x));
            return result;
        };
        const auto query = stored(normal(size_t(rows * c.dim)));
        auto key = stored(normal(size_t(rows * c.capacity * c.dim)));
        auto value = stored(normal(size_t(rows * c.capacity * c.value_dim)));
        std::vector<int> counts;
        for (int b = 0; b < c.batch; b++) {
            counts.push_back(b == 1 ? 0 : (c.capacity * (b + 1) + b) / (b + 1) - b);
        }
        auto slot = [&](int age) { return (newest - age + c.capacity) % c.capacity; };
        auto at = [&](int b, int h, int age, int d, int dim) {
            return ((size_t(b) * c.capacity + slot(age)) * c.heads + h) * dim + d;
        };
        for (int b = 0; b < c.batch; b++) {
            for (int age = std::max(counts[b], 0); age < c.capacity; age++) {
                for (int h = 0; h < c.heads; h++) {
                    for (int d = 0; d < c.dim; d++) key[at(b, h, age, d, c.dim)] = to_storage(NAN_F);
                    for (int d = 0; d < c.value_dim; d++) value[at(b, h, age, d, c.value_dim)] = to_storage(NAN_F);
                }
            }
        }
        int lanes = 1;
        const int row_bytes = std::max(c.dim, c.value_dim) * int(sizeof(T));
        while (lanes < 32 && lanes * 16 < row_bytes) lanes *= 2;
        T* output = device(std::vector<T>(size_t(rows * c.value_dim), to_storage(NAN_F)));
        const float scale = 0.4f;
        const AttentionDecodeParams params{device(query), device(key), device(value), device(counts), output,
                                           c.batch, c.heads, c.capacity, c.dim, c.value_dim, newest, lanes, c.warps, scale};
        std::vector<T> actual;
        for (int turn = 0; turn < turns(); turn++) {
            set_turn(turn);
            ASSERT_EQ(launch(kernel, unsigned((rows * c.warps + 7) / 8), 256, 0, params), "");
            ASSERT_EQ(memory.check_canaries(), "");
            const std::vector<T> result = host(output, size_t(rows * c.value_dim));
            if (actual.empty()) {
                actual = result;
            }
            EXPECT_EQ(memcmp(actual.data(), result.data(), result.size() * sizeof(T)), 0) << "depends on the order of threads";
        }
        set_turn(0);
        for (int b = 0; b < c.batch; b++) {
            for (int h = 0; h < c.heads; h++) {
                std::vector<double> weight;
                double total = 0;
                for (int age = 0; age < counts[b]; age++) {
                    double score = 0;
                    for (int d = 0; d < c.dim; d++) {
                        score += double(from_storage(query[(size_t(b) * c.heads + h) * c.dim + d]))
                                 * from_storage(key[at(b, h, age, d, c.dim)]);
                    }
                    weight.push_back(std::exp(scale * score));
                    total += weight.back();
                }
                for (int d = 0; d < c.value_dim; d++) {
                    double expected = 0, size = 0;
                    for (int age = 0; age < counts[b]; age++) {
                        const double term = weight[age] / total * from_storage(value[at(b, h, age, d, c.value_dim)]);
                        expected += term;
                        size += std::abs(term);
                    }
                    const float got = from_storage(actual[(size_t(b) * c.heads + h) * c.value_dim + d]);
                    EXPECT_NEAR(got, expected, size * 2e-5 + std::abs(expected) * unit) << c.text() << " " << kernel << " at " << b
                                                                                       << ", " << h << ", " << d;
                }
            }
        }
        memory.clear();
    }

    void check_all(const Case& c) {
        const auto same = [](float x) { return x; };
        const int dim = std::max(c.dim, c.value_dim);
        check<float>(dim > 128 ? "attention_decode_f32_long" : "attention_decode_f32", c, 0, same, same);
        check<uint16_t>("attention_decode_bf16", c, 0x1p-8, sim::to_bf16, sim::from_bf16);
        check<uint16_t>("attention_decode_f16", c, 0x1p-11, sim::to_f16, sim::from_f16);
    }
};

TEST_F(AttentionDecodeTest, FollowsTheRing) {
    const Case cases[] = {{1, 1, 1, 1, 1, 1},    {3, 2, 5, 6, 3, 1},     {4, 4, 16, 16, 16, 1},  {2, 1, 33, 31, 17, 2},
                          {5, 2, 64, 64, 32, 4}, {3, 3, 97, 8, 64, 8},   {2, 1, 207, 128, 128, 8}, {1, 2, 13, 256, 207, 2},
                          {3, 1, 40, 111, 59, 4}};
    for (const Case& c : cases) {
        check_all(c);
    }
}
