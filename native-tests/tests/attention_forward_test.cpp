#include "kernel_test.h"

struct Tile {
    int dim, queries, keys;
    std::string kernel() const {
        return "attention_forward_d" + std::to_string(dim) + "_q" + std::to_string(queries) + "_k" + std::to_string(keys);
    }
    size_t shared() const { return sizeof(float) * ((queries + keys) * (dim + 4) + queries * (keys + 4)); }
};

const Tile TILES[] = {{32, 16, 16}, {64, 16, 16}, {32, 64, 64}, {64, 64, 64}, {128, 64, 32}, {256, 32, 32}};

struct Case {
    int batch = 1, heads = 1, queries = 1, keys = 1, dim = 1, value_dim = 1;
    int left = -1, right = -1;
    bool bottom_right = false, rows_first = false;
    std::vector<int> query_segments, key_segments, key_lengths;
    std::vector<float> query, key, value;

    std::string text() const {
        return "batch " + std::to_string(batch) + " heads " + std::to_string(heads) + " queries " + std::to_string(queries)
               + " keys " + std::to_string(keys) + " dims " + std::to_string(dim) + ", " + std::to_string(value_dim)
               + " window " + std::to_string(left) + ", " + std::to_string(right);
    }
    // Element (row, d) of a [batch, heads, rows, dim] or [batch, rows, heads, dim] array.
    size_t at(int b, int h, int row, int d, int rows, int extent) const {
        return rows_first ? ((size_t(b) * rows + row) * heads + h) * extent + d
                          : ((size_t(b) * heads + h) * rows + row) * extent + d;
    }
    bool visible(int b, int i, int j) const {
        const int valid = key_lengths.empty() ? keys : std::min(std::max(key_lengths[b], 0), keys);
        const int position = i + (bottom_right ? valid - queries : 0);
        return j < valid && (left < 0 || j >= position - left) && (right < 0 || j <= position + right)
               && (query_segments.empty() || query_segments[b * queries + i] == key_segments[b * keys + j]);
    }
};

class AttentionForwardTest : public KernelTest {
  protected:
    Case with_inputs(Case c) {
        c.query = normal(size_t(c.batch) * c.heads * c.queries * c.dim);
        c.key = normal(size_t(c.batch) * c.heads * c.keys * c.dim);
        c.value = normal(size_t(c.batch) * c.heads * c.keys * c.value_dim);
        return c;
    }

    // Strides of batch, head and row.
    static void strides(const Case& c, int rows, int extent, int64_t (&s)[3]) {
        s[0] = int64_t(c.heads) * rows * extent;
        s[1] = c.rows_first ? extent : int64_t(rows) * extent;
        s[2] = c.rows_first ? int64_t(c.heads) * extent : extent;
    }

    void check(const Tile& tile, const Case& c) {
        const size_t outputs = size_t(c.batch) * c.heads * c.queries * c.value_dim;
        const size_t rows = size_t(c.batch) * c.heads * c.queries;
        float* out = device(std::vector<float>(outputs, NAN_F));
        float* lse = device(std::vector<float>(rows, NAN_F));
        const float scale = 1 / std::sqrt(float(c.dim));
        int64_t q[3], k[3], v[3], o[3];
        strides(c, c.queries, c.dim, q);
        strides(c, c.keys, c.dim, k);
        strides(c, c.keys, c.value_dim, v);
        strides(c, c.queries, c.value_dim, o);
        auto ints = [&](const std::vector<int>& values) { return values.empty() ? nullptr : device(values); };
        const AttentionForwardParams params{
            device(c.query), device(c.key), device(c.value), out, lse,
            ints(c.query_segments), ints(c.key_segments), ints(c.key_lengths),
            q[0], q[1], q[2], k[0], k[1], k[2], v[0], v[1], v[2], o[0], o[1], o[2],
            c.heads, c.queries, c.keys, c.dim, c.value_dim, c.left, c.right, c.bottom_right, scale};
        const unsigned blocks = unsigned(c.batch * c.heads * ((c.queries + tile.queries - 1) / tile.queries));
        const auto actual = run(tile.kernel(), blocks, 256, tile.shared(), params, out, outputs);
        const auto actual_lse = std::vector<float>(lse, lse + rows);
        for (int b = 0; b < c.batch; b++) {
            for (int h = 0; h < c.heads; h++) {
                for (int i = 0; i < c.queries; i++) {
                    std::vector<double> sum(c.value_dim);
                    double total = 0;
                    for (int j = 0; j < c.keys; j++) {
                        if (!c.visible(b, i, j)) {
                            continue;
                        }
                        double score = 0;
                        for (int d = 0; d < c.dim; d++) {
                            score += double(c.query[c.at(b, h, i, d, c.queries, c.dim)]) * c.key[c.at(b, h, j, d, c.keys, c.dim)];
                        }
                        const double weight = std::exp(scale * score);
                        total += weight;
                        for (int d = 0; d < c.value_dim; d++) {
                            sum[d] += weight * c.value[c.at(b, h, j, d, c.keys, c.value_dim)];
                        }
                    }
                    const std::string where = c.text() + " at " + std::to_string(b) + ", " + std::to_string(h) + ", "
                                              + std::to_string(i) + " by " + tile.kernel();
                    const double log_sum = total == 0 ? double(INF_F) : std::log(total);
                    expect_close(actual_lse[(size_t(b) * c.heads + h) * c.queries + i], log_sum, 3e-6, where);
                    for (int d = 0; d < c.value_dim; d++) {
                        expect_close(actual[c.at(b, h, i, d, c.queries, c.value_dim)], total == 0 ? 0 : sum[d] / total, 1e-5,
                                     where);
                    }
                }
            }
        }
        memory.clear();
    }

    void check_all(const Case& c) {
        for (const Tile& tile : TILES) {
            if (std::max(c.dim, c.value_dim) <= tile.dim && tile.dim <= std::max(32, 4 * c.dim)) {
                check(tile, c);
            }
        }
    }
};

TEST_F(AttentionForwardTest, EqualsTheFormulaForAwkwardShapes) {
    const int shapes[][4] = {{1, 1, 1, 1},   {2, 3, 5, 2},    {17, 13, 6, 31},  {33, 97, 32, 32},
                             {5, 70, 59, 33}, {66, 65, 40, 64}, {31, 33, 111, 97}, {34, 40, 207, 256}};
    for (const auto& s : shapes) {
        check_all(with_inputs({.batch = 2, .heads = 1, .queries = s[0], .keys = s[1], .dim = s[2], .value_dim = s[3]}));
    }
}

TEST_F(AttentionForwardTest, MasksByPosition) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [left, right] : {std::pair{-1, 0}, {2, 0}, {0, 0}, {5, 3}, {-1, 7}, {20, -1}}) {
            check_all(with_inputs({.queries = 19, .keys = 37, .dim = 6, .value_dim = 5, .left = left, .right = right,
                                   .bottom_right = bottom_right}));
            check_all(with_inputs({.queries = 37, .keys = 19, .dim = 6, .value_dim = 5, .left = left, .right = right,
                                   .bottom_right = bottom_right}));
        }
    }
}

TEST_F(AttentionForwardTest, MasksBySegmentsAndLengthsInBothLayouts) {
    for (bool rows_first : {false, true}) {
        Case c = with_inputs({.batch = 3, .heads = 2, .queries = 18, .keys = 35, .dim = 8, .value_dim = 3, .right = 0,
                              .bottom_right = true, .rows_first = rows_first, .key_lengths = {35, 7, -2}});
        for (int i = 0; i < c.batch * c.queries; i++) {
            c.query_segments.push_back(i % c.queries / 5);
        }
        for (int j = 0; j < c.batch * c.keys; j++) {
            c.key_segments.push_back(j % c.keys / 9);
        }
        check_all(c);
    }
}

TEST_F(AttentionForwardTest, WithoutKeysIsZero) {
    check_all(with_inputs({.queries = 3, .keys = 0, .dim = 4, .value_dim = 4}));
}

TEST_F(AttentionForwardTest, WhatIsHiddenMayBeNaN) {
    Case c = with_inputs({.queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .right = 0, .key_lengths = {18}});
    for (int j = 18; j < 24; j++) {  // padding
        for (int d = 0; d < 4; d++) {
            c.key[j * 4 + d] = c.value[j * 4 + d] = NAN_F;
        }
    }
    c.value[10 * 4 + 1] = INF_F;  // seen by queries 10 and later only
    c.key[12 * 4] = NAN_F;
    check_all(c);
}

TEST_F(AttentionForwardTest, LargeScoresDoNotOverflow) {
    Case c = with_inputs({.queries = 18, .keys = 40, .dim = 4, .value_dim = 4});
    for (float& q : c.query) {
        q *= 8;
    }
    check_all(c);
}

// One key per head, so that each output is its value.
TEST_F(AttentionForwardTest, TakesMoreHeadsThanAGridHasRows) {
    if (!getenv("FOVEA_DEEP")) {
        GTEST_SKIP() << "66,000 blocks take ten seconds; set FOVEA_DEEP=1";
    }
    const int batch = 33000, heads = 2, count = batch * heads;
    const auto value = normal(count);
    float* out = device(std::vector<float>(count, NAN_F));
    const std::vector<float> ones(count, 1.0f);
    const AttentionForwardParams params{
        device(ones), device(ones), device(value), out, device(ones), nullptr, nullptr, nullptr,
        2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, heads, 1, 1, 1, 1, -1, -1, 0, 1.0f};
    const Tile tile = TILES[0];
    ASSERT_EQ(sim::launch(*sim::find_kernel(tile.kernel()), {unsigned(count)}, {256}, tile.shared(), &params), "");
    EXPECT_EQ(std::vector<float>(out, out + count), value);
}
