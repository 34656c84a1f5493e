// SPDX-License-Identifier: Apache-2.0
// What surrounds a step of environments, and rows that are put in their places.
#include "kernel_test.h"

namespace {

class StepsTest : public KernelTest {
  protected:
    Array stored_integers(const std::vector<int32_t>& values) { return {device(values), values.size()}; }
    std::vector<int32_t> integers(const Array& array) { return host<int32_t>(array, array.count); }
};

TEST_F(StepsTest, ClocksGoOnWhereEnvironmentsHaveActed) {
    const Array positions = stored_integers({2, 3, 3, 4, 9}), ages = stored_integers({1, 1, 5, 6, 7});
    const Array episodes = stored_integers({0, 0, 1, 0, 2}), stream = stored_integers({4});
    const Array discounted = stored({1, 2, 3, 4, 5}), ended = stored({-1, -1, -1, -1, -1}), returns = stored({9, 9, 9, 9, 9});
    const AdvanceParams params{device(std::vector<float>{1, 1, 1, 1, -1}), device(std::vector<int32_t>{0, 0, 1, 0, 0}),
                               device(std::vector<int32_t>{0, 0, 0, 1, 0}), positions, ages, episodes, discounted, stream, ended,
                               returns, 5, 3, 2, 0.5f};
    run("advance_steps", {2}, params, {positions, ages, episodes, stream, discounted, ended, returns});
    EXPECT_EQ(integers(positions), (std::vector<int32_t>{3, 4, 4, 5, 10}));
    EXPECT_EQ(integers(ages), (std::vector<int32_t>{1, 2, 1, 1, 8}));
    EXPECT_EQ(integers(episodes), (std::vector<int32_t>{0, 0, 2, 1, 2}));
    EXPECT_EQ(integers(stream), (std::vector<int32_t>{6}));
    EXPECT_EQ(values(returns), (std::vector<float>{9, 2, 2.5f, 3, 1.5f}));
    EXPECT_EQ(values(discounted), (std::vector<float>{1, 2, 0, 0, 1.5f}));
    EXPECT_EQ(values(ended), (std::vector<float>{-1, 0, 1, 1, 0}));
}

TEST_F(StepsTest, FlagsAreNumberedInOrder) {
    for (int count : {1, 31, 256, 257, 1000}) {
        std::vector<int32_t> flags(count), expected(count);
        int32_t number = -3;
        for (int i = 0; i < count; i++) {
            flags[i] = i * i % 7 % 3;
            expected[i] = flags[i] != 0 ? number++ : -1;
        }
        const Array next = stored_integers({-3}), numbers = unwritten(count);
        run("enumerate_flags", {1}, EnumerateParams{device(flags), next, numbers, count}, {next, numbers});
        EXPECT_EQ(integers(numbers), expected);
        EXPECT_EQ(integers(next), std::vector<int32_t>{number});
        memory.clear();
    }
}

TEST_F(StepsTest, StepsAreEncoded) {
    const auto halves = [](std::vector<double> numbers) {
        std::vector<int32_t> all(2 * numbers.size());
        memcpy(all.data(), numbers.data(), all.size() * sizeof(int32_t));
        return all;
    };
    // Two entities of one feature and their count, a pixel, a number; an action of one choice of two.
    const std::vector<int32_t> elements{0, 0, 0, 2,  0, 1, 1, 2,  -1, 2, 0, -1, -2, 3, 0, -1, 1, 4, 0, -1, -3, 0, 0, 0,
                                        -3, 0, 1, 0, -5, 0, 0, 0, -6, 1, 2, 0,  -7, 1, 0, 0,  -7, -1, 0, 0};
    const int size = int(elements.size() / 4);
    const Array encoded = unwritten(2 * size);
    EncodeParams params{};
    params.elements = device(elements), params.scales = device(halves({1, 0.5, -2, 100}));
    params.table = device(std::vector<float>{0, 0.25f, 1, 0.75f}), params.table_length = 4;
    params.observations = device(std::vector<float>{3, 7, 1, 51, -1.5f, 3, 7, 2, 255, -8}), params.observation_size = 5;
    params.actions = device(std::vector<int32_t>{1, 1}), params.action_size = 1, params.chosen = 1, params.later = 1;
    params.ages = device(std::vector<int32_t>{3, 0});
    params.allowed = device(std::vector<int32_t>{1, 0, 0, 1}), params.choices = 2;
    params.encoded = encoded, params.rows = 2, params.size = size;
    run("encode_steps", {2}, params, {encoded});
    EXPECT_EQ(values(encoded), (std::vector<float>{1, 7, 1, 0.2f, 10,  0, 1, 0, 0.75f, -1e30f, -1e30f,
                                                   1, 3, 2, 1,    -10, 0, 0, 1, 0.25f, 0,      -1e30f}));
}

TEST_F(StepsTest, RowsGoToTheirPlaces) {
    for (bool vectors : {false, true}) {
        const int width = 8, columns = vectors ? width / 4 : width;
        const auto rows = normal(4 * width), before = normal(12 * width);
        for (bool wraps : {false, true}) {
            const std::vector<int32_t> indices{1, 7, -1, 2};
            const Array table = stored(before);
            PlaceParams params{};
            params.table[0] = table, params.rows[0] = device(rows), params.table_rows[0] = 12, params.width[0] = columns;
            params.indices = device(indices), params.count = 4, params.total = columns;
            params.stride = 3, params.shift = -1, params.extent = 3, params.wraps = wraps;
            run(vectors ? "place_vectors" : "place_rows", {2}, params, {table});
            std::vector<float> expected = before;
            for (int i = 0; i < 4; i++) {
                const int at = indices[i] - 1, place = wraps ? (at + 3) % 3 : at;
                if (place < 0 || place >= 3) continue;
                std::copy_n(&rows[i * width], width, &expected[(3 * i + place) * width]);
            }
            EXPECT_EQ(values(table), expected);
            memory.clear();
        }
    }
}

}  // namespace
