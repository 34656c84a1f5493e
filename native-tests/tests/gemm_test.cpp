// SPDX-License-Identifier: Apache-2.0
// Matrix products against plain loops in float64, on operands as they are after rounding to the storage type.
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

struct Case {
    bool transpose_a = false, transpose_b = false;
    int m = 1, n = 1, k = 1, batch = 1;
    float alpha = 1, beta = 0;
    int pad = 0;       // by which rows are longer than they need be,
    int multiple = 1;  // or to a multiple of which they are filled up
    int lead = 0;      // elements before the first, which takes alignment away
    int splits = 1, split_depth = 0;
    int activation = NONE;
    bool bias = false, added = false;
    int precision = 0;  // as in rounded.cuh

    int row(int columns) const { return (columns + pad + multiple - 1) / multiple * multiple; }

    std::string text() const {
        return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + (transpose_a ? " A^T" : "")
               + (transpose_b ? " B^T" : "") + " pad " + std::to_string(pad) + " multiple "
               + std::to_string(multiple) + " splits " + std::to_string(splits);
    }
};

class GemmTest : public KernelTest {
  protected:
    // Runs one product, and checks it against `a` and `b` or against random numbers.
    void check(Storage storage, const Tile& tile, const Case& c, std::vector<float> a = {}, std::vector<float> b = {}) {
        SCOPED_TRACE(std::string(tile.name) + " " + name_of(storage) + " " + c.text());
        const int64_t row_a = c.row(c.transpose_a ? c.m : c.k), row_b = c.row(c.transpose_b ? c.k : c.n);
        const int64_t row_c = c.row(c.n), size_c = c.m * row_c;
        const int64_t size_a = (c.transpose_a ? c.k : c.m) * row_a, size_b = (c.transpose_b ? c.n : c.k) * row_b;
        if (a.empty()) a = normal(c.lead + c.batch * size_a);
        if (b.empty()) b = normal(c.lead + c.batch * size_b);
        const auto at_lead = [&](const Array& array) {
            return static_cast<const char*>(array.address) + c.lead * bytes_of(storage);
        };
        const Array a_array = stored(a, storage), b_array = stored(b, storage), bias = stored(normal(c.n), storage);
        const Array out = stored(c.beta == 0 ? std::vector<float>(c.batch * size_c, NAN_F) : normal(c.batch * size_c), storage);
        const std::vector<float> before = values(out), shifts = values(bias);
        a = values(a_array), b = values(b_array);
        const Array partial = unwritten(c.splits > 1 ? size_t(c.splits) * c.batch * c.m * c.n : 0);
        GemmParams params{};
        params.a = at_lead(a_array);
        params.b = at_lead(b_array);
        params.c = out;
        if (c.bias) params.bias = bias;
        const Array added = stored(normal(out.count), storage);
        const std::vector<float> more = values(added);
        if (c.added) params.added = added;
        params.partial = partial;
        params.batch_stride_a = size_a, params.batch_stride_b = size_b, params.batch_stride_c = size_c;
        params.row_stride_a = row_a, params.row_stride_b = row_b, params.row_stride_c = row_c;
        params.batch = c.batch, params.m = c.m, params.n = c.n, params.k = c.k;
        params.splits = c.splits;
        params.split_depth = c.splits > 1 ? c.split_depth : std::max(c.k, 1);
        params.transpose_a = c.transpose_a, params.transpose_b = c.transpose_b;
        params.activation = c.activation;
        params.precision = c.precision;
        params.alpha = c.alpha, params.beta = c.beta;
        run(std::string("gemm_") + tile.name + "_" + name_of(storage),
            {c.splits * c.batch * tiles(c.m, tile.m) * tiles(c.n, tile.n), tile.threads, tile.shared}, params,
            {c.splits > 1 ? partial : out});
        if (c.splits > 1) {
            run(std::string("gemm_add_splits_") + name_of(storage), {tiles(c.batch * c.m * c.n, 16)}, params, {out});
        }

        // Random signs: rounding errors grow as the root of the number of terms. Splits of floats cost some units more.
        const double unit = 4 * (std::sqrt(c.k) + 2) * 0x1p-24 + (c.precision == 1 ? 0x1p-10 : 0);
        if (c.precision == 2) {  // the factors are those of bf16, to the last bit
            a = values(stored(a, Storage::BF16)), b = values(stored(b, Storage::BF16));
        }
        std::vector<Expected> expected;
        for (int p = 0; p < c.batch; p++) {
            for (int i = 0; i < c.m; i++) {
                for (int j = 0; j < row_c; j++) {
                    const float old = before[expected.size()];
                    if (j >= c.n) {  // it writes nothing past a row
                        expected.push_back({old});
                        continue;
                    }
                    Sum sum;
                    for (int l = 0; l < c.k; l++) {
                        const int64_t at_a = c.lead + p * size_a + (c.transpose_a ? l * row_a + i : i * row_a + l);
                        const int64_t at_b = c.lead + p * size_b + (c.transpose_b ? j * row_b + l : l * row_b + j);
                        sum.add(double(a[at_a]) * b[at_b]);
                    }
                    const double kept = c.beta == 0 ? 0 : c.beta * double(old), shift = c.bias ? shifts[j] : 0;
                    const double x = activate(c.activation, c.alpha * sum.value + kept + shift)
                                     + (c.added ? more[expected.size()] : 0);
                    const double error = unit * (std::abs(c.alpha) * sum.size + std::abs(kept) + std::abs(shift) + 1)
                                         + 2 * unit_of(storage) * std::abs(x);
                    expected.push_back({std::isfinite(float(x)) ? x : float(x), error});
                }
            }
        }
        expect_close(values(out), expected, "C");
        memory.clear();
    }
};

class GemmOfStorage : public GemmTest, public testing::WithParamInterface<Storage> {};

INSTANTIATE_TEST_SUITE_P(, GemmOfStorage, testing::Values(Storage::F32, Storage::BF16), [](const auto& info) { return name_of(info.param); });

// Every tile with every transposition, and every size in each place.
TEST_P(GemmOfStorage, EqualsPlainLoops) {
    const int sizes[] = {1, 2, 3, 5, 13, 17, 31, 33, 64, 97, 129, 207};
    int trial = 0;
    for (const Tile& tile : TILES) {
        for (int transposed = 0; transposed < 4; transposed++, trial++) {
            Case c{bool(transposed & 1), bool(transposed & 2), sizes[trial % 12], sizes[(5 * trial + 3) % 12], sizes[(7 * trial + 8) % 12]};
            c.pad = trial % 3;
            check(GetParam(), tile, c);
            c.pad = 0;
            c.multiple = 8;  // rows start at multiples of 16 bytes, and end between them
            check(GetParam(), tile, c);
        }
    }
}

TEST_P(GemmOfStorage, TakesBatchesScalarsAndAnyAddress) {
    for (int trial = 0; trial < 8; trial++) {
        Case c{bool(trial & 1), bool(trial & 2), 17, 33, 13};
        c.batch = 3;
        c.alpha = -0.5f;
        c.beta = trial % 2 == 0 ? 2 : 0;
        c.multiple = 8;
        c.lead = trial % 4 * 2 + trial / 4;
        check(GetParam(), TILES[1 + trial % 3], c);
    }
}

TEST_F(GemmTest, AddsABiasAndAppliesTheActivation) {
    for (int activation : {NONE, TANH, RELU, SIGMOID}) {
        Case c{false, false, 33, 17, 31};
        c.bias = true;
        c.activation = activation;
        c.added = activation != NONE;
        check(Storage::F32, TILES[2], c);
        c.splits = 2;
        c.split_depth = 16;
        c.beta = -1;
        check(Storage::F32, TILES[1], c);
        check(Storage::BF16, TILES[2], c);
        check(Storage::BF16, TILES[3], c);
    }
}

TEST_F(GemmTest, SplitsOfALongSumAddUp) {
    for (int transposed = 0; transposed < 4; transposed++) {
        Case c{bool(transposed & 1), bool(transposed & 2), 5, 17, 600};
        c.batch = 2;
        c.splits = 10;
        c.split_depth = 64;
        check(Storage::F32, TILES[1 + transposed % 3], c);
        c.splits = 19;
        c.split_depth = 32;
        check(Storage::BF16, TILES[1 + transposed % 3], c);
    }
}

TEST_F(GemmTest, WithNothingToSumScalesC) {
    for (const Tile& tile : TILES) {
        Case c{false, false, 3, 4, 0};
        check(Storage::F32, tile, c);
        c.beta = 0.5f;
        check(Storage::F32, tile, c);
        check(Storage::BF16, tile, c);
    }
}

TEST_F(GemmTest, OneProductIsAsExactAsTf32) {
    for (const Tile& tile : TILES) {
        Case c{true, false, 33, 31, 97};
        c.precision = 1;
        check(Storage::F32, tile, c);
    }
}

TEST_F(GemmTest, FloatsAreRoundedToBf16) {
    for (const Tile& tile : TILES) {
        for (int transposed = 0; transposed < 4; transposed++) {
            Case c{transposed % 2 > 0, transposed / 2 > 0, 33, 31, 97};
            c.precision = 2;
            c.bias = c.added = true;
            check(Storage::F32, tile, c);
        }
    }
}

// A sum of numbers of one sign, where an error of one direction at each addition would show.
TEST_F(GemmTest, LongSumsKeepFloatAccuracy) {
    const Case c{false, true, 2, 3, 4099};
    std::vector<float> a = normal(c.m * c.k), b = normal(c.n * c.k);
    for (float& x : a) x = std::abs(x);
    for (float& x : b) x = std::abs(x);
    check(Storage::F32, TILES[2], c, a, b);
}

// As the plain sum has it: an infinity stays one, opposite ones and products with 0 are NaN, the largest floats are finite.
TEST_F(GemmTest, InfinityAndNanAreThoseOfAPlainSum) {
    const float MAX = std::numeric_limits<float>::max();
    const Case c{false, false, 7, 3, 4};
    const std::vector<float> a = {INF_F, 1, 2, 3,  -INF_F, 1, 2, 3,  INF_F, -INF_F, 0, 0,  NAN_F, 0, 0, 0,
                                  MAX,   0, 0, 0,  1, -2, 1e-40f, 4,  0, 0, 0, 0};
    const std::vector<float> b = {1, 2, -1,  1.1f, 3, 1,  0.3f, 1, 2,  1, 1, 1};
    const std::vector<float> with_zero = {0, 1e-45f, INF_F,  1, 2, 3,  4, 5, 6,  7, 8, 9};
    for (const Tile& tile : TILES) {
        check(Storage::F32, tile, c, a, b);
        check(Storage::F32, tile, c, a, with_zero);
        Case split = c;
        split.k = 36;
        split.splits = 3;
        split.split_depth = 16;
        std::vector<float> long_a(7 * 36, 1);
        for (int row = 0; row < 7; row++) std::copy_n(&a[4 * row], 4, &long_a[36 * row + 5 * row]);
        check(Storage::F32, tile, split, long_a, normal(36 * 3));
    }
}

TEST_F(GemmTest, TakesMoreProductsThanASecondGridAxisHolds) {
    constexpr int PRODUCTS = 65537;
    GemmParams params{};
    params.batch = PRODUCTS;
    params.m = params.n = params.splits = params.split_depth = 1;
    params.row_stride_c = 1;
    params.batch_stride_c = 2;
    params.beta = 0.5f;
    std::vector<float> c(2 * PRODUCTS);
    for (size_t i = 0; i < c.size(); i++) c[i] = float(i);
    const Array out = stored(c);
    params.c = out;
    ASSERT_EQ(launch("gemm_tall_f32", {PRODUCTS, 128, 47104}, params), "");
    const auto halved = values(out);
    for (size_t i = 0; i < c.size(); i++) {
        ASSERT_EQ(halved[i], i % 2 == 0 ? c[i] / 2 : c[i]);
    }
}

}  // namespace
