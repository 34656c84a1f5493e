// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.h"

namespace {

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

    void check_reduce(const std::string& kernel, int64_t blocks, int outer, int reduced, int inner, int chunk, int lanes, int columns) {
        const int chunks = std::max(1, int(tiles(reduced, chunk))), outputs = outer * chunks * inner;
        for (int op = 0; op < 2; op++) {
            auto x = normal(size_t(outer) * reduced * inner);
            if (x.size() > 40) {
                x[x.size() / 2] = op == 0 ? INF_F : NAN_F;
            }
            const Array y = unwritten(outputs);
            run(kernel, {blocks}, ReduceParams{device(x), y, outer, reduced, inner, chunk, chunks, lanes, columns, op}, {y});
            expect_each(values(y), [&](size_t out) {
                const int i = out % inner, c = out / inner % chunks, o = out / inner / chunks;
                return near(folded(x, reduced, inner, o, i, c * chunk, (c + 1) * chunk, op),
                            op == 0 ? 1e-6 * std::sqrt(reduced + 1.0) : 0);
            }, kernel + " of " + std::to_string(reduced));
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
    const Array y = unwritten(15);
    const ZipParams params{device(a), device(b), y, 15, {1, 1, 1, 1, 5, 3}, {0, 0, 0, 0, 1, 5}, {0, 0, 0, 0, 0, 1},
                           0,         1,         2 /* multiply */};
    run("zip_binary", {1}, params, {y});
    expect_each(values(y), [&](size_t at) { return Expected{a[at % 3 * 5 + at / 3] * float(b[at % 3])}; });
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
                const Array y = unwritten(rows * width);
                run("zip_rows", {2},
                    ZipRowsParams{device(a) + lead, device(b) + lead, y, rows, width, width, right.row_stride, 1, right.stride, vectors,
                                  1 /* subtract */},
                    {y});
                expect_each(values(y), [&, width = width](size_t i) {
                    return Expected{a[lead + i] - b[lead + i / width * right.row_stride + i % width * right.stride]};
                }, std::to_string(rows) + "x" + std::to_string(width));
                memory.clear();
            }
        }
    }
}

TEST_F(PrimitivesTest, CastsToNearest) {
    for (Storage from : ALL_STORAGES) {
        for (Storage to : ALL_STORAGES) {
            auto x = normal(1030);
            x[0] = INF_F, x[1] = NAN_F, x[2] = 1 + 0x1p-8f, x[3] = 1 + 0x1p-11f, x[4] = 1 + 3 * 0x1p-8f;  // ties among them
            const Array y = unwritten(x.size(), to);
            run("cast", {2}, CastParams{stored(x, from), y, int64_t(x.size()), int(from), int(to)}, {y});
            expect_each(values(y), [&](size_t i) { return Expected{round_to(to, round_to(from, x[i]))}; },
                        std::string(name_of(from)) + " to " + name_of(to));
            memory.clear();
        }
    }
}

TEST_F(PrimitivesTest, CountsInFloatsAndIntegers) {
    for (int is_integer : {0, 1}) {
        const Array y = unwritten(1030);
        run("iota", {2}, IotaParams{y, 1030, -3, 2, is_integer}, {y});
        if (is_integer) {
            const auto counted = host<int32_t>(y, 1030);
            for (int i = 0; i < 1030; i++) EXPECT_EQ(counted[i], 2 * i - 3);
        } else {
            expect_each(values(y), [](size_t i) { return Expected{2.0 * double(i) - 3}; });
        }
    }
}

TEST_F(PrimitivesTest, ArrangesNumbersAndVectors) {
    for (int width : {1, 4}) {
        const auto x = normal(size_t(35) * width);  // [5, 7] of numbers or vectors, transposed into rows of 6, of which 5 are written
        const Array y = unwritten(size_t(42) * width);
        run(width == 1 ? "arrange" : "arrange_vectors", {1},
            ArrangeParams{device(x), y, 35, {1, 1, 1, 1, 5, 7}, {0, 0, 0, 0, 7, 1}, {0, 0, 0, 0, 1, 6}, false}, {y});
        expect_each(values(y), [&](size_t i) {
            const size_t element = i / width, row = element / 6, column = element % 6;
            return Expected{column == 5 ? NAN_F : x[(column * 7 + row) * width + i % width]};
        });
        const auto before = normal(y.count);
        const Array sum = stored(before);
        run(width == 1 ? "arrange" : "arrange_vectors", {1},
            ArrangeParams{device(x), sum, 35, {1, 1, 1, 1, 5, 7}, {0, 0, 0, 0, 7, 1}, {0, 0, 0, 0, 1, 6}, true}, {sum});
        expect_each(values(sum), [&](size_t i) {
            const size_t element = i / width, row = element / 6, column = element % 6;
            return Expected{column == 5 ? before[i] : before[i] + x[(column * 7 + row) * width + i % width]};
        });
    }
}

TEST_F(PrimitivesTest, SelectsWithoutMixing) {
    for (int count : {1, 3, 4, 1026}) {
        auto condition = normal(count), a = normal(count), b = normal(count);
        for (int i = 0; i < count; i++) {
            condition[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? -2.0f : NAN_F;
            (i % 3 == 0 ? a : b)[i] = NAN_F;
        }
        const Array y = unwritten(count);
        run("select_elements", {2}, SelectParams{device(condition), device(a), device(b), y, count}, {y});
        expect_each(values(y), [&](size_t i) { return Expected{i % 3 == 0 ? b[i] : a[i]}; });
    }
}

TEST_F(PrimitivesTest, UniformNumbersFollowTheStreamAndItsCounter) {
    const int count = 1030;
    const auto draw = [&](int64_t stream, const int32_t* counter, int64_t first, int lead) {
        const Array y = unwritten(count + lead);
        run("uniform", {2}, UniformParams{static_cast<float*>(y) + lead, counter, count, 77, stream, first}, {y});
        const auto drawn = values(y);
        return std::vector<float>(drawn.begin() + lead, drawn.end());
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

}  // namespace
