#include "kernel_test.h"

class PrimitivesTest : public KernelTest {};

TEST_F(PrimitivesTest, ReducesTheMiddleAxis) {
    const int shapes[][3] = {{1, 1, 1}, {3, 0, 2}, {2, 33, 5}, {1, 1021, 1}, {97, 6, 3}};
    for (const auto& [outer, reduced, inner] : shapes) {
        for (int op = 0; op < 2; op++) {
            const auto x = normal(size_t(outer) * reduced * inner);
            float* y = device(std::vector<float>(outer * inner, NAN_F));
            const ReduceParams params{device(x), y, outer * inner, reduced, inner, op};
            const auto actual = run("reduce_middle", 2, 256, 0, params, y, outer * inner);
            for (int o = 0; o < outer; o++) {
                for (int i = 0; i < inner; i++) {
                    double folded = op == 0 ? 0 : -INF_F;
                    for (int r = 0; r < reduced; r++) {
                        const double element = x[(size_t(o) * reduced + r) * inner + i];
                        folded = op == 0 ? folded + element : std::max(folded, element);
                    }
                    expect_close(actual[o * inner + i], folded, op == 0 ? 1e-6 * std::sqrt(reduced + 1.0) : 0,
                                 std::to_string(reduced));
                }
            }
            memory.clear();
        }
    }
}

TEST_F(PrimitivesTest, BroadcastsAndConverts) {
    const std::vector<float> a = normal(15);      // [3, 5], read transposed as [5, 3]
    const std::vector<int32_t> b = {7, -2, 100};  // broadcast along the first axis
    float* y = device(std::vector<float>(15, NAN_F));
    const ZipParams params{device(a), device(b), y, 15, {1, 1, 1, 1, 5, 3}, {0, 0, 0, 0, 1, 5}, {0, 0, 0, 0, 0, 1},
                           0,         1,         2 /* multiply */};
    const auto actual = run("zip_binary", 1, 256, 0, params, y, 15);
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 3; j++) {
            EXPECT_EQ(actual[i * 3 + j], a[j * 5 + i] * float(b[j]));
        }
    }
}

TEST_F(PrimitivesTest, AddsRowsThatShareAnIndex) {
    const std::vector<int32_t> indices = {2, 0, 2, 2};
    const auto rows = normal(4 * 3), table = normal(4 * 3);
    float* target = device(table);
    const RowsParams params{target, device(rows), device(indices), 4, 4, 3};
    const auto actual = run("scatter_add_rows", 1, 256, 0, params, target, table.size());
    for (int column = 0; column < 3; column++) {
        expect_close(actual[column], double(table[column]) + rows[3 + column], 1e-6, "row 0");
        EXPECT_EQ(actual[3 + column], table[3 + column]);
        expect_close(actual[6 + column], double(table[6 + column]) + rows[column] + rows[6 + column] + rows[9 + column],
                     1e-6, "row 2");
    }
}
