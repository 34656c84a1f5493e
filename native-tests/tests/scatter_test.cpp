// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.h"

namespace {

class ScatterTest : public KernelTest {
  protected:
    std::vector<int32_t> indices(int count, int low, int high) {
        std::uniform_int_distribution<int32_t> distribution(low, high);
        std::vector<int32_t> values(count);
        for (int32_t& value : values) value = distribution(random);
        return values;
    }

    // From one table of these rows and this width, then from two more with it.
    void check_gather(int table_rows, int width, const std::vector<int32_t>& index, bool vectors) {
        const size_t count = index.size();
        const int rows_of[] = {table_rows, table_rows + 2, 1}, widths[] = {width, 8, 3 * width};
        for (int tables : {1, 3}) {
            GatherParams params{};
            params.indices = device(index), params.count = int64_t(count);
            std::vector<std::vector<float>> table;
            std::vector<Array> rows;
            for (int t = 0; t < tables; t++) {
                table.push_back(normal(size_t(rows_of[t]) * widths[t]));
                rows.push_back(unwritten(count * widths[t]));
                params.table[t] = device(table[t]), params.rows[t] = rows[t], params.table_rows[t] = rows_of[t];
                params.width[t] = vectors ? widths[t] / 4 : widths[t];
                params.total += params.width[t];
            }
            run(vectors ? "gather_vectors" : "gather_rows", {2}, params, rows);
            for (int t = 0; t < tables; t++) {
                expect_each(values(rows[t]), [&](size_t i) {
                    const int32_t row = index[i / widths[t]];
                    return Expected{row >= 0 && row < rows_of[t] ? table[t][row * widths[t] + i % widths[t]] : NAN_F};
                }, "rows of table " + std::to_string(t));
            }
            memory.clear();
        }
    }

    void check_scatter(int table_rows, int width, const std::vector<int32_t>& index, int splits) {
        const size_t count = index.size();
        const auto rows = normal(count * width), table = normal(size_t(table_rows) * width);
        std::vector<double> sums(table.begin(), table.end()), terms(table_rows);
        for (size_t i = 0; i < count; i++) {
            for (int c = 0; c < width && index[i] >= 0 && index[i] < table_rows; c++) {
                sums[size_t(index[i]) * width + c] += rows[i * width + c];
                terms[index[i]] += c == 0;
            }
        }
        const Array target = stored(table), keys = unwritten(count), partial = unwritten(count * width);
        const ScatterParams params{target, device(rows), device(index), keys, partial, table_rows, int64_t(count), width, splits};
        run("scatter_chunks", {tiles(int64_t(count), 256)}, params, {keys, partial});
        run("scatter_table", {5}, params, {target});
        expect_each(values(target), [&](size_t i) {
            const double n = terms[i / width];
            return near(sums[i], n == 0 ? 0 : 1e-6 * (1 + n));  // an untouched row stays as it is
        });
        memory.clear();
    }
};

TEST_F(ScatterTest, GathersRowsAndMarksWhatIsOutside) {
    check_gather(5, 3, {4, 0, 2, 2}, false);
    check_gather(1, 1, {0}, false);
    check_gather(5, 207, {-1, 4, 5, INT32_MAX, INT32_MIN, 0}, false);
    check_gather(13, 12, {-1, 4, 13, 12}, true);
}

TEST_F(ScatterTest, AddsRowsInOneChunkOrMany) {
    check_scatter(4, 3, {2, 0, 2, 2}, 1);
    check_scatter(1, 1, std::vector<int32_t>(33, 0), 1);
    check_scatter(2, 5, indices(1000, 0, 1), 1);
    check_scatter(97, 33, indices(300, 0, 96), 2);
    check_scatter(300, 70, indices(257, 0, 299), 3);
    check_scatter(5, 70, indices(300, 0, 4), 1);
}

// A thread looks in one chunk of 256 rows: past 65,536 rows it looks in several.
TEST_F(ScatterTest, AddsMoreChunksThanABlockHasThreads) { check_scatter(3, 1, indices(66000, 0, 2), 1); }

TEST_F(ScatterTest, LeavesOutRowsWhoseIndexIsOutside) {
    check_scatter(5, 6, {-1, 4, 5, INT32_MAX, INT32_MIN, 0, 4}, 1);
    check_scatter(3, 2, {-7, 3}, 1);
}

}  // namespace
