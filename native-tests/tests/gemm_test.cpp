// Matrix products against plain loops in float64, on operands as they are after rounding to the storage type.
#include "../cuda-on-cpu/tensor_cores.h"
#include "kernel_test.h"

namespace {

// As in kernels/nn/gemm.cu.
struct Tile {
    const char* name;
    int m, n;
    unsigned threads;
    size_t shared;
};
const Tile TILES[] = {
    {"large", 128, 128, 256, 81920}, {"medium", 64, 64, 128, 40960}, {"tall", 128, 16, 128, 47104}, {"wide", 16, 128, 128, 47104}};

enum Activation { NONE, TANH, RELU, SIGMOID };

double activate(int activation, double x) {
    switch (activation) {
        case TANH: return std::tanh(x);
        case RELU: return x < 0 ? 0 : x;
        case SIGMOID: return 1 / (1 + std::exp(-x));
        default: return x;
    }
}

struct Float {
    using Stored = float;
    static constexpr const char* NAME = "f32";
    static constexpr double UNIT = 0x1p-24;
    static float store(float x) { return x; }
    static float load(float x) { return x; }
};
struct Bf16 {
    using Stored = uint16_t;
    static constexpr const char* NAME = "bf16";
    static constexpr double UNIT = 0x1p-8;
    static uint16_t store(float x) { return sim::to_bf16(x); }
    static float load(uint16_t x) { return sim::from_bf16(x); }
};
struct F16 {
    using Stored = uint16_t;
    static constexpr const char* NAME = "f16";
    static constexpr double UNIT = 0x1p-11;
    static uint16_t store(float x) { return sim::to_f16(x); }
    static float load(uint16_t x) { return sim::from_f16(x); }
};

struct Case {
    bool transpose_a = false, transpose_b = false;
    int m = 1, n = 1, k = 1, batch = 1;
    float alpha = 1, beta = 0;
    int pad = 0;     // by which rows are longer than they need be,
    int multiple = 1;  // or to a multiple of which they are filled up
    int lead = 0;    // elements before the first, which takes alignment away
    int splits = 1, split_depth = 0;
    int activation = NONE;
    bool bias = false, tf32 = false;

    int row(int columns) const { return (columns + pad + multiple - 1) / multiple * multiple; }

    std::string text() const {
        return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + (transpose_a ? " A^T" : "")
               + (transpose_b ? " B^T" : "") + " pad " + std::to_string(pad) + " multiple "
               + std::to_string(multiple) + " splits " + std::to_string(splits);
    }
};

}  // namespace

class GemmTest : public KernelTest {
  protected:
    template <class Type>
    std::vector<typename Type::Stored> stored(const std::vector<float>& values) {
        std::vector<typename Type::Stored> result;
        for (float value : values) {
            result.push_back(Type::store(value));
        }
        return result;
    }

    // Runs one product, and checks it against `a` and `b` or against random numbers.
    template <class Type>
    void check(const Tile& tile, const Case& c, std::vector<float> a_values = {}, std::vector<float> b_values = {}) {
        using Stored = typename Type::Stored;
        const std::string what = std::string(tile.name) + " " + Type::NAME + " " + c.text();
        const int64_t row_a = c.row(c.transpose_a ? c.m : c.k), row_b = c.row(c.transpose_b ? c.k : c.n);
        const int64_t row_c = c.row(c.n), size_c = c.m * row_c;
        const int64_t size_a = (c.transpose_a ? c.k : c.m) * row_a, size_b = (c.transpose_b ? c.n : c.k) * row_b;
        if (a_values.empty()) a_values = normal(size_t(c.lead + c.batch * size_a));
        if (b_values.empty()) b_values = normal(size_t(c.lead + c.batch * size_b));
        const auto a = stored<Type>(a_values), b = stored<Type>(b_values), bias = stored<Type>(normal(size_t(c.n)));
        const size_t count_c = (size_t(c.batch * size_c) + 1) / 2 * 2;  // an even number: whole words
        const auto before = stored<Type>(c.beta == 0 ? std::vector<float>(count_c, NAN_F) : normal(count_c));
        Stored* out = device(before);
        const size_t parts = c.splits > 1 ? size_t(c.splits * c.batch * c.m * c.n) : 0;
        float* partial = device(std::vector<float>(parts, NAN_F));
        GemmParams params{};
        params.a = device(a) + c.lead;
        params.b = device(b) + c.lead;
        params.c = out;
        params.bias = c.bias ? device(bias) : nullptr;
        params.partial = partial;
        params.batch_stride_a = size_a;
        params.batch_stride_b = size_b;
        params.batch_stride_c = size_c;
        params.row_stride_a = row_a;
        params.row_stride_b = row_b;
        params.row_stride_c = row_c;
        params.batch = c.batch;
        params.m = c.m;
        params.n = c.n;
        params.k = c.k;
        params.splits = c.splits;
        params.split_depth = c.splits > 1 ? c.split_depth : std::max(c.k, 1);
        params.transpose_a = c.transpose_a;
        params.transpose_b = c.transpose_b;
        params.activation = c.activation;
        params.tf32 = c.tf32;
        params.alpha = c.alpha;
        params.beta = c.beta;
        const auto tiles = [](int extent, int size) { return unsigned((extent + size - 1) / size); };
        const unsigned blocks = unsigned(c.splits * c.batch) * tiles(c.m, tile.m) * tiles(c.n, tile.n);
        const Output output{reinterpret_cast<float*>(out), count_c * sizeof(Stored) / sizeof(float)};
        const std::string kernel = std::string("gemm_") + tile.name + "_" + Type::NAME;
        std::vector<float> result;
        if (c.splits > 1) {
            run(kernel, blocks, tile.threads, tile.shared, params, partial, parts);
            result = run(std::string("gemm_add_splits_") + Type::NAME, tiles(c.batch * c.m * c.n, 16), 256, 0, params, {output})[0];
        } else {
            result = run(kernel, blocks, tile.threads, tile.shared, params, {output})[0];
        }
        std::vector<Stored> actual(count_c);
        memcpy(actual.data(), result.data(), count_c * sizeof(Stored));

        // Random signs: rounding errors grow as the root of the number of terms. Splits of floats cost some units more.
        const double unit = 4 * (std::sqrt(c.k) + 2) * 0x1p-24 + (c.tf32 ? 0x1p-10 : 0);
        for (int p = 0; p < c.batch; p++) {
            for (int i = 0; i < c.m; i++) {
                for (int j = 0; j < row_c; j++) {
                    const int64_t at = p * size_c + i * row_c + j;
                    if (j >= c.n) {
                        ASSERT_EQ(memcmp(&actual[size_t(at)], &before[size_t(at)], sizeof(Stored)), 0) << what << ": wrote past a row";
                        continue;
                    }
                    double sum = 0, size = 0;
                    for (int l = 0; l < c.k; l++) {
                        const int64_t at_a = c.lead + p * size_a + (c.transpose_a ? l * row_a + i : i * row_a + l);
                        const int64_t at_b = c.lead + p * size_b + (c.transpose_b ? j * row_b + l : l * row_b + j);
                        const double product = double(Type::load(a[size_t(at_a)])) * Type::load(b[size_t(at_b)]);
                        sum += product;
                        size += std::abs(product);
                    }
                    const double old = c.beta == 0 ? 0 : c.beta * double(Type::load(before[size_t(at)]));
                    const double shift = c.bias ? Type::load(bias[size_t(j)]) : 0;
                    const double expected = activate(c.activation, c.alpha * sum + old + shift);
                    const float value = Type::load(actual[size_t(at)]);
                    if (!std::isfinite(float(expected))) {
                        expect_close(value, float(expected), 0, what);
                        continue;
                    }
                    const double error = unit * (std::abs(c.alpha) * size + std::abs(old) + std::abs(shift) + 1)
                                         + 2 * Type::UNIT * std::abs(expected);
                    ASSERT_NEAR(value, expected, error) << what << ": row " << i << ", column " << j;
                }
            }
        }
        memory.clear();
    }

    // Every tile with every transposition, and every size in each place.
    template <class Type>
    void check_shapes() {
        const int sizes[] = {1, 2, 3, 5, 13, 17, 31, 33, 64, 97, 129, 207};
        int trial = 0;
        for (const Tile& tile : TILES) {
            for (int transposed = 0; transposed < 4; transposed++, trial++) {
                Case c{bool(transposed & 1), bool(transposed & 2), sizes[trial % 12], sizes[(5 * trial + 3) % 12], sizes[(7 * trial + 8) % 12]};
                c.pad = trial % 3;
                check<Type>(tile, c);
                c.pad = 0;
                c.multiple = 8;  // rows start at multiples of 16 bytes, and end between them
                check<Type>(tile, c);
            }
        }
    }
};

TEST_F(GemmTest, FloatEqualsPlainLoops) { check_shapes<Float>(); }
TEST_F(GemmTest, Bf16EqualsPlainLoops) { check_shapes<Bf16>(); }
TEST_F(GemmTest, F16EqualsPlainLoops) { check_shapes<F16>(); }

TEST_F(GemmTest, TakesBatchesScalarsAndAnyAddress) {
    for (int trial = 0; trial < 8; trial++) {
        const Tile& tile = TILES[1 + trial % 3];
        Case c{bool(trial & 1), bool(trial & 2), 17, 33, 13};
        c.batch = 3;
        c.alpha = -0.5f;
        c.beta = trial % 2 == 0 ? 2 : 0;
        c.multiple = 8;
        c.lead = trial % 4 * 2 + trial / 4;
        check<Float>(tile, c);
        check<Bf16>(tile, c);
        check<F16>(tile, c);
    }
}

TEST_F(GemmTest, AddsABiasAndAppliesTheActivation) {
    for (int activation : {NONE, TANH, RELU, SIGMOID}) {
        Case c{false, false, 33, 17, 31};
        c.bias = true;
        c.activation = activation;
        check<Float>(TILES[2], c);
        c.splits = 2;
        c.split_depth = 16;
        c.beta = -1;
        check<Float>(TILES[1], c);
        check<Bf16>(TILES[2], c);
        check<F16>(TILES[3], c);
    }
}

TEST_F(GemmTest, SplitsOfALongSumAddUp) {
    for (int transposed = 0; transposed < 4; transposed++) {
        Case c{bool(transposed & 1), bool(transposed & 2), 5, 17, 600};
        c.batch = 2;
        c.splits = 10;
        c.split_depth = 64;
        check<Float>(TILES[1 + transposed % 3], c);
        c.splits = 19;
        c.split_depth = 32;
        check<Bf16>(TILES[1 + transposed % 3], c);
    }
}

TEST_F(GemmTest, WithNothingToSumScalesC) {
    for (const Tile& tile : TILES) {
        Case c{false, false, 3, 4, 0};
        check<Float>(tile, c);
        c.beta = 0.5f;
        check<Float>(tile, c);
        check<F16>(tile, c);
    }
}

TEST_F(GemmTest, OneProductIsAsExactAsTf32) {
    for (const Tile& tile : TILES) {
        Case c{true, false, 33, 31, 97};
        c.tf32 = true;
        check<Float>(tile, c);
    }
}

// A sum of numbers of one sign, where an error of one direction at each addition would show.
TEST_F(GemmTest, LongSumsKeepFloatAccuracy) {
    Case c{false, true, 2, 3, 4099};
    std::vector<float> a = normal(size_t(c.m * c.k)), b = normal(size_t(c.n * c.k));
    for (float& x : a) x = std::abs(x);
    for (float& x : b) x = std::abs(x);
    check<Float>(TILES[2], c, a, b);
}

// As the plain sum has it: an infinity stays one, opposite ones and products with 0 are NaN, the largest floats are finite.
TEST_F(GemmTest, InfinityAndNanAreThoseOfAPlainSum) {
    const float MAX = std::numeric_limits<float>::max();
    Case c{false, false, 7, 3, 4};
    const std::vector<float> a = {INF_F, 1, 2, 3,  -INF_F, 1, 2, 3,  INF_F, -INF_F, 0, 0,  NAN_F, 0, 0, 0,
                                  MAX,   0, 0, 0,  1, -2, 1e-40f, 4,  0, 0, 0, 0};
    const std::vector<float> b = {1, 2, -1,  1.1f, 3, 1,  0.3f, 1, 2,  1, 1, 1};
    for (const Tile& tile : TILES) {
        check<Float>(tile, c, a, b);
        Case zero = c;
        const std::vector<float> with_zero = {0, 1e-45f, INF_F,  1, 2, 3,  4, 5, 6,  7, 8, 9};
        check<Float>(tile, zero, a, with_zero);
        Case split = c;
        split.k = 36;
        split.splits = 3;
        split.split_depth = 16;
        std::vector<float> long_a(size_t(7 * 36), 1), long_b = normal(36 * 3);
        for (int row = 0; row < 7; row++) std::copy_n(&a[size_t(4 * row)], 4, &long_a[size_t(36 * row + 5 * row)]);
        check<Float>(tile, split, long_a, long_b);
    }
}

TEST_F(GemmTest, TakesMoreProductsThanASecondGridAxisHolds) {
    GemmParams params{};
    params.batch = 65537;
    params.m = params.n = params.splits = params.split_depth = 1;
    params.row_stride_c = 1;
    params.batch_stride_c = 2;
    params.beta = 0.5f;
    std::vector<float> c(2 * 65537);
    for (size_t i = 0; i < c.size(); i++) c[i] = float(i);
    params.c = device(c);
    ASSERT_EQ(launch("gemm_tall_f32", 65537, 128, 47104, params), "");
    const auto halved = host(static_cast<float*>(params.c), c.size());
    for (size_t i = 0; i < c.size(); i++) {
        ASSERT_EQ(halved[i], i % 2 == 0 ? c[i] / 2 : c[i]);
    }
}
