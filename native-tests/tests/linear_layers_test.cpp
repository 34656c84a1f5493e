// SPDX-License-Identifier: Apache-2.0
// Some linear layers in one launch: the same bits as each by itself, which other tests compare with plain loops.
#include "kernel_test.h"

namespace {

struct Tile {
    const char* name;
    int m, n;
    unsigned threads;
    size_t shared;
};
const Tile TILES[] = {
    {"large", 128, 128, 256, 81920}, {"medium", 64, 64, 128, 40960}, {"tall", 128, 16, 128, 47104}, {"wide", 16, 128, 128, 47104}};

class LinearLayersTest : public KernelTest {
  protected:
    // Layers with these rows, of which those after the first read what the second reads.
    void check(const Tile& tile, const std::vector<int>& rows, int in, int out, int splits, int precision) {
        SCOPED_TRACE(std::string(tile.name) + " " + std::to_string(in) + "x" + std::to_string(out));
        LinearLayersParams layers{};
        layers.in = in, layers.out = out, layers.precision = precision;
        std::vector<Array> xs, weights, biases, together, apart;
        int64_t blocks = 0;
        for (size_t i = 0; i < rows.size(); i++) {
            xs.push_back(stored(normal(size_t(rows[i]) * in)));
            weights.push_back(stored(normal(size_t(in) * out)));
            biases.push_back(stored(normal(out)));
            together.push_back(unwritten(size_t(rows[i]) * out));
            apart.push_back(unwritten(size_t(rows[i]) * out));
            layers.x[i] = xs[i], layers.weight[i] = weights[i], layers.bias[i] = biases[i], layers.y[i] = together[i];
            layers.rows[i] = rows[i];
            blocks += tiles(rows[i], tile.m) * tiles(out, tile.n);
            GemmParams one{};
            one.a = xs[i], one.b = weights[i], one.c = apart[i], one.bias = biases[i];
            one.row_stride_a = in, one.row_stride_b = out, one.row_stride_c = out;
            one.batch = 1, one.m = rows[i], one.n = out, one.k = in, one.splits = 1, one.split_depth = in;
            one.alpha = 1, one.precision = precision;
            run(std::string("gemm_") + tile.name + "_f32", {tiles(rows[i], tile.m) * tiles(out, tile.n), tile.threads, tile.shared},
                one, {apart[i]});
        }
        run(std::string("linear_layers_") + tile.name, {blocks, tile.threads, tile.shared}, layers, together);
        for (size_t i = 0; i < rows.size(); i++) {
            EXPECT_EQ(values(together[i]), values(apart[i])) << "layer " << i;
        }
        backward(tile, rows, in, out, splits, precision, xs, weights);
        memory.clear();
    }

    // Gradients: layers 0 and 1 add up to one dx, as do 2 and 3.
    void backward(const Tile& tile, const std::vector<int>& rows, int in, int out, int splits, int precision,
                  const std::vector<Array>& xs, const std::vector<Array>& weights) {
        const int64_t of_weight = tiles(in, tile.m) * tiles(out, tile.n);
        const Array counters = stored(std::vector<float>(4 * of_weight));
        LinearLayersBackwardParams layers{};
        layers.in = in, layers.out = out, layers.precision = precision;
        layers.counters = reinterpret_cast<int32_t*>(counters.address);
        int64_t blocks = 0;
        std::vector<Array> together, apart;
        Array dx, dx_apart;
        for (size_t i = 0; i < rows.size(); i++) {
            const bool adds = i % 2 == 1 && rows[i] == rows[i - 1];
            if (!adds) {
                dx = unwritten(size_t(rows[i]) * in), dx_apart = unwritten(size_t(rows[i]) * in);
                together.push_back(dx), apart.push_back(dx_apart);
                blocks += tiles(rows[i], tile.m) * tiles(in, tile.n);
            }
            const Array dy = stored(normal(size_t(rows[i]) * out));
            const Array d_weight = unwritten(size_t(in) * out), d_bias = unwritten(out);
            const Array partial = unwritten(splits > 1 ? size_t(splits) * (in + 1) * out : 0);
            together.push_back(d_weight), together.push_back(d_bias);
            const int depth = splits > 1 ? int(tiles(tiles(rows[i], splits), 64) * 64) : std::max(rows[i], 1);
            const int parts = std::max(1, int(tiles(rows[i], depth)));
            layers.x[i] = xs[i], layers.weight[i] = weights[i], layers.dy[i] = dy, layers.dx[i] = dx;
            if (adds) layers.added[i] = dx;
            layers.d_weight[i] = d_weight, layers.d_bias[i] = d_bias, layers.partial[i] = partial;
            layers.rows[i] = rows[i], layers.splits[i] = parts, layers.split_depth[i] = depth;
            blocks += parts * of_weight;
            LinearBackwardParams one{};
            one.x = xs[i], one.weight = weights[i], one.dy = dy, one.dx = dx_apart;
            if (adds) one.added = dx_apart;
            apart.push_back(unwritten(d_weight.count)), apart.push_back(unwritten(out));
            one.d_weight = apart[apart.size() - 2], one.d_bias = apart.back(), one.partial = partial;
            one.counters = layers.counters, one.rows = rows[i], one.in = in, one.out = out;
            one.splits = parts, one.split_depth = depth, one.precision = precision;
            run(std::string("linear_backward_") + tile.name,
                {tiles(rows[i], tile.m) * tiles(in, tile.n) + parts * of_weight, tile.threads, tile.shared}, one,
                {dx_apart, apart[apart.size() - 2], apart.back()});
        }
        run(std::string("linear_layers_backward_") + tile.name, {blocks, tile.threads, tile.shared}, layers, together);
        EXPECT_EQ(host<int32_t>(layers.counters, 4 * of_weight), std::vector<int32_t>(4 * of_weight)) << "counters";
        for (size_t i = 0; i < together.size(); i++) {
            EXPECT_EQ(values(together[i]), values(apart[i])) << "gradient " << i;
        }
    }
};

TEST_F(LinearLayersTest, AreAsEachByItself) {
    for (const Tile& tile : TILES) {
        check(tile, {130, 130, 17}, 33, 31, 1, 0);
        check(tile, {17, 17, 20, 20}, 16, 64, 1, 2);
    }
}

TEST_F(LinearLayersTest, AddUpTheirOwnSplits) {
    check(TILES[1], {330, 330, 200}, 17, 70, 3, 0);
    check(TILES[2], {207, 207}, 9, 33, 2, 1);
}

}  // namespace
