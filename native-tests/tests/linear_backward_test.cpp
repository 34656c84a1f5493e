// SPDX-License-Identifier: Apache-2.0
// All gradients of a linear layer in one launch, against plain loops in float64.
#include "kernel_test.h"

namespace {

// As in kernels/nn/gemm_tile.cuh.
struct Tile {
    const char* name;
    int m, n;
    unsigned threads;
    size_t shared;
};
const Tile TILES[] = {
    {"large", 128, 128, 256, 81920}, {"medium", 64, 64, 128, 40960}, {"tall", 128, 16, 128, 47104}, {"wide", 16, 128, 128, 47104}};

enum Activation { NONE, TANH, RELU, SIGMOID };

double gradient(int activation, double y) {
    switch (activation) {
        case TANH: return 1 - y * y;
        case RELU: return y > 0;
        case SIGMOID: return y * (1 - y);
        default: return 1;
    }
}

struct Case {
    int rows, in, out;
    int splits = 1;
    int activation = NONE;
    bool dx = true, bias = true, added = false;
    int precision = 0;  // as in rounded.cuh
};

class LinearBackwardTest : public KernelTest {
  protected:
    void check(const Tile& tile, const Case& c, std::vector<float> dy = {}) {
        SCOPED_TRACE(std::string(tile.name) + " " + std::to_string(c.rows) + "x" + std::to_string(c.in) + "x"
                     + std::to_string(c.out) + " splits " + std::to_string(c.splits));
        const auto x = normal(size_t(c.rows) * c.in), weight = normal(size_t(c.in) * c.out), added = normal(x.size());
        if (dy.empty()) dy = normal(size_t(c.rows) * c.out);
        const int64_t depth = c.splits > 1 ? tiles(tiles(c.rows, c.splits), 64) * 64 : std::max(c.rows, 1);
        const int splits = std::max(1, int(tiles(c.rows, depth)));
        const int64_t of_weight = tiles(c.in, tile.m) * tiles(c.out, tile.n);
        const int64_t of_input = c.dx ? tiles(c.rows, tile.m) * tiles(c.in, tile.n) : 0;
        const Array dx = unwritten(c.dx ? x.size() : 0), d_weight = unwritten(weight.size()), d_bias = unwritten(c.bias ? c.out : 0);
        const Array partial = unwritten(splits > 1 ? size_t(splits) * (c.in + 1) * c.out : 0);
        const Array counters = stored(std::vector<float>(of_weight));
        LinearBackwardParams params{};
        params.x = device(x), params.weight = device(weight), params.dy = device(dy);
        if (c.added) params.added = device(added);
        if (c.dx) params.dx = dx;
        params.d_weight = d_weight;
        if (c.bias) params.d_bias = d_bias;
        params.partial = partial, params.counters = reinterpret_cast<int32_t*>(counters.address);
        params.rows = c.rows, params.in = c.in, params.out = c.out;
        params.splits = splits, params.split_depth = int(depth);
        params.activation = c.activation, params.precision = c.precision;
        run(std::string("linear_backward_") + tile.name, {of_input + splits * of_weight, tile.threads, tile.shared}, params,
            {dx, d_weight, d_bias, counters});

        EXPECT_EQ(host<int32_t>(params.counters, of_weight), std::vector<int32_t>(of_weight)) << "counters";
        const double product = c.precision == 2 ? 0x1p-8 : c.precision == 1 ? 0x1p-10 : 0;
        const auto within = [&](const Sum& sum, int terms) {
            return Expected{std::isfinite(float(sum.value)) ? sum.value : float(sum.value),
                            (4 * (std::sqrt(terms) + 2) * 0x1p-24 + product) * (sum.size + 1)};
        };
        if (c.dx) {
            expect_each(values(dx), [&](size_t at) {
                const size_t r = at / c.in, i = at % c.in;
                Sum sum;
                for (int o = 0; o < c.out; o++) sum.add(double(dy[r * c.out + o]) * weight[i * c.out + o]);
                if (c.added) sum.add(added[at]);
                const double slope = gradient(c.activation, x[at]);
                Expected expected = within(sum, c.out);
                // The slope of what was rounded, which normal numbers are not in the range of, is off by two roundings.
                return Expected{slope * expected.value, std::abs(slope) * expected.error * 2 + 0x1p-21 * (1 + x[at] * x[at]) * sum.size};
            }, "dx");
        }
        expect_each(values(d_weight), [&](size_t at) {
            const size_t i = at / c.out, o = at % c.out;
            Sum sum;
            for (int r = 0; r < c.rows; r++) sum.add(double(x[size_t(r) * c.in + i]) * dy[size_t(r) * c.out + o]);
            return within(sum, c.rows);
        }, "d_weight");
        expect_each(values(d_bias), [&](size_t o) {
            Sum sum;
            for (int r = 0; r < c.rows; r++) sum.add(dy[size_t(r) * c.out + o]);
            return within(sum, c.rows);
        }, "d_bias");
        memory.clear();
    }
};

TEST_F(LinearBackwardTest, EqualsPlainLoops) {
    const int sizes[] = {1, 2, 3, 5, 13, 17, 31, 33, 64, 97, 129, 207};
    int trial = 0;
    for (const Tile& tile : TILES) {
        for (int activation : {NONE, TANH, RELU, SIGMOID}) {
            Case c{sizes[(5 * trial + 3) % 12], sizes[(7 * trial + 8) % 12], sizes[trial % 12]};
            c.activation = activation;
            c.added = trial % 3 == 1;
            check(tile, c);
            trial++;
        }
        check(tile, {64, 32, 128});
    }
}

TEST_F(LinearBackwardTest, TheLastBlockAddsUpTheSplits) {
    for (const Tile& tile : TILES) {
        check(tile, {207, 17, 131, 3});
        check(tile, {330, 130, 20, 6});
    }
}

TEST_F(LinearBackwardTest, LeavesOutWhatIsNotWanted) {
    check(TILES[1], {70, 9, 33, 1, NONE, false, true});
    check(TILES[2], {70, 9, 33, 2, NONE, true, false});
    check(TILES[3], {5, 70, 3, 1, TANH, false, false});
}

TEST_F(LinearBackwardTest, OfNoRowsIsZero) { check(TILES[1], {0, 9, 33, 1, NONE, false, true}); }

TEST_F(LinearBackwardTest, RoundsToTf32IfTold) { check(TILES[1], {64, 40, 64, 1, NONE, true, true, false, true}); }

TEST_F(LinearBackwardTest, KeepsInfinitiesAndNaN) {
    auto dy = normal(70 * 33);
    dy[3] = INF_F;
    dy[33 * 5 + 7] = NAN_F;
    check(TILES[1], {70, 9, 33}, dy);
    check(TILES[1], {140, 9, 16, 2}, [&] { auto longer = normal(140 * 16); longer[2000] = -INF_F; return longer; }());
}

}  // namespace
