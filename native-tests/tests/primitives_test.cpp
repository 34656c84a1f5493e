#include <functional>

#include "kernel_test.h"

class PrimitivesTest : public KernelTest {
  protected:
    // x[o, r, i] folded over r in float64, NaN kept.
    static double folded(const std::vector<float>& x, int reduced, int inner, int o, int i, int first, int last, int op) {
        double result = op == 0 ? 0 : -INF_F;
        for (int r = first; r < std::min(last, reduced); r++) {
            const double element = x[(size_t(o) * reduced + r) * inner + i];
            result = op == 0 ? result + element : result != result || element < result ? result : element;
        }
        return result;
    }

    void check_reduce(const std::string& kernel, unsigned blocks, int outer, int reduced, int inner, int chunk, int lanes,
                      int columns) {
        const int chunks = reduced == 0 ? 1 : (reduced + chunk - 1) / chunk, outputs = outer * chunks * inner;
        for (int op = 0; op < 2; op++) {
            auto x = normal(size_t(outer) * reduced * inner);
            if (x.size() > 40) {
                x[x.size() / 2] = op == 0 ? INF_F : NAN_F;
            }
            float* y = device(std::vector<float>(outputs, NAN_F));
            const ReduceParams params{device(x), y, outer, reduced, inner, chunk, chunks, lanes, columns, op};
            const auto actual = run(kernel, blocks, 256, 0, params, y, outputs);
            for (int out = 0; out < outputs; out++) {
                const int i = out % inner, c = out / inner % chunks, o = out / inner / chunks;
                expect_close(actual[out], folded(x, reduced, inner, o, i, c * chunk, (c + 1) * chunk, op),
                             op == 0 ? 1e-6 * std::sqrt(reduced + 1.0) : 0,
                             kernel + " of " + std::to_string(reduced) + ", output " + std::to_string(out));
            }
            memory.clear();
        }
    }
};

TEST_F(PrimitivesTest, ReducesShortMiddleAxes) {
    const int shapes[][4] = {{1, 1, 1, 1}, {3, 0, 2, 1}, {2, 33, 5, 1}, {97, 6, 3, 1}, {13, 17, 1, 32}, {97, 3, 1, 4},
                             {2, 207, 1, 32}};
    for (const auto& [outer, reduced, inner, lanes] : shapes) {
        check_reduce("reduce_short", 2, outer, reduced, inner, std::max(1, reduced), lanes, 1);
    }
}

TEST_F(PrimitivesTest, ReducesLongMiddleAxesInChunks) {
    const int shapes[][5] = {{1, 1021, 1, 1021, 1}, {2, 2000, 1, 700, 1}, {1, 207, 33, 207, 32}, {3, 97, 6, 31, 8},
                             {2, 300, 97, 128, 32}};
    for (const auto& [outer, reduced, inner, chunk, columns] : shapes) {
        check_reduce("reduce_long", 3, outer, reduced, inner, chunk, 1, columns);
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

TEST_F(PrimitivesTest, ZipsRowsWithDenseAndBroadcastOperands) {
    struct Operand {
        int row_stride, stride;
    };
    for (const auto& [rows, width] : {std::pair{1, 1}, {1, 1027}, {5, 12}, {13, 7}}) {
        const Operand dense{width, 1}, number{0, 0}, row{0, 1}, per_row{1, 0};
        for (const Operand& right : {dense, number, row, per_row}) {
            for (int lead : {0, 3}) {  // an array that starts at no multiple of 16 bytes
                const auto a = normal(lead + rows * width), b = normal(lead + rows * width);
                const bool vectors = lead == 0 && (rows == 1 || width % 4 == 0);
                float* y = device(std::vector<float>(rows * width, NAN_F));
                const ZipRowsParams params{device(a) + lead, device(b) + lead, y, rows, width, width, right.row_stride, 1,
                                           right.stride, vectors, 1 /* subtract */};
                const auto actual = run("zip_rows", 2, 256, 0, params, y, rows * width);
                for (int i = 0; i < rows * width; i++) {
                    const int at = i / width * right.row_stride + i % width * right.stride;
                    EXPECT_EQ(actual[i], a[lead + i] - b[lead + at]) << rows << "x" << width << " at " << i;
                }
                memory.clear();
            }
        }
    }
}

TEST_F(PrimitivesTest, SelectsWithoutMixing) {
    for (int count : {1, 3, 4, 1026}) {
        auto condition = normal(count), a = normal(count), b = normal(count);
        for (int i = 0; i < count; i++) {
            condition[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? -2.0f : NAN_F;
            (i % 3 == 0 ? a : b)[i] = NAN_F;
        }
        float* y = device(std::vector<float>(count, NAN_F));
        const SelectParams params{device(condition), device(a), device(b), y, count};
        const auto actual = run("select_elements", 2, 256, 0, params, y, count);
        for (int i = 0; i < count; i++) {
            EXPECT_EQ(actual[i], i % 3 == 0 ? b[i] : a[i]);
        }
    }
}

TEST_F(PrimitivesTest, UniformNumbersFollowTheStreamAndItsCounter) {
    const int count = 1030;
    const auto draw = [&](int64_t stream, const int32_t* counter, int64_t first, int lead) {
        float* y = device(std::vector<float>(count + lead, NAN_F));
        const UniformParams params{y + lead, counter, count, 77, stream, first};
        return run("uniform", 2, 256, 0, params, y + lead, count);
    };
    const auto stream = draw(5, nullptr, 0, 0);
    for (float u : stream) {
        EXPECT_TRUE(u > 0 && u < 1);
    }
    EXPECT_EQ(draw(2, device(std::vector<int32_t>{3}), 0, 1), stream);
    EXPECT_EQ(draw(8, device(std::vector<int32_t>{-3}), 0, 0), stream);
    EXPECT_NE(draw(6, nullptr, 0, 0), stream);
    for (int64_t first : {1, 2, 3, 4}) {
        const auto later = draw(5, nullptr, first, 0);
        EXPECT_TRUE(std::equal(later.begin(), later.end() - first, stream.begin() + first)) << first;
    }
}
