#include "attention_kernels.h"

class AttentionForward : public AttentionTest {
  protected:
    static std::vector<AttentionKernel> kernels(Storage storage) {
        std::vector<AttentionKernel> all;
        for (const auto& [dim, rows, moving] : {std::array{16, 0, 16}, {32, 0, 16}, {32, 0, 32}, {64, 0, 32}}) {
            all.push_back({"forward", storage, dim, rows, moving});
        }
        const bool wide = storage != Storage::F32;
        all.push_back({"forward", storage, 32, wide ? 128 : 64, 64});
        all.push_back({"forward", storage, 64, wide ? 128 : 64, wide ? 64 : 32});
        all.push_back({"forward", storage, 128, wide ? 128 : 64, 32});
        all.push_back({"forward", storage, 256, 64, wide ? 32 : 16});
        return all;
    }

    bool values_are_one = false;

    void check(const AttentionKernel& kernel, AttentionProblem p) {
        unsigned blocks, threads = THREADS;
        size_t shared;
        if (kernel.rows) {
            blocks = unsigned(p.matrices() * ((p.queries + kernel.rows - 1) / kernel.rows));
            shared = (kernel.rows + 2 * kernel.moving) * kernel.row_bytes();
        } else {
            const WholeHeads whole = whole_heads(kernel, p, 3, 0);
            if (whole.threads == 0) {
                return;
            }
            blocks = whole.blocks, threads = whole.threads, shared = whole.shared;
        }
        round_inputs(p, kernel.storage);
        AttentionParams params = parameters(p, kernel.storage);
        const Array output = unwritten(p.matrices() * p.queries * p.value_dim, kernel.storage);
        const Array lse = unwritten(p.matrices() * p.queries, Storage::F32);
        params.output = output.address;
        params.log_sum_exp = static_cast<float*>(lse.address);
        const State state = with_state(params, p, kernel.storage);
        std::vector<Output> outputs{output.output(), lse.output(), state.maximum.output(), state.normalizer.output()};
        if (params.sink_share) {
            outputs.push_back(state.sink_share.output());
        }
        if (params.exact_output) {
            outputs.push_back(state.exact_output.output());
        }
        const auto results = run(kernel.name(), blocks, threads, shared, params, outputs);

        const AttentionSolution exact = exact_solution(p);
        const AttentionTolerance tolerance =
            kernel.storage == Storage::F32 ? float_tolerance(p, exact) : storage_tolerance(p, exact, kernel.storage);
        const std::string where = p.text() + " by " + kernel.name();
        if (values_are_one) {
            // Roundings of a weight and of the output.
            const double unit = kernel.storage == Storage::F32 ? 1e-6 : kernel.storage == Storage::BF16 ? 0x1p-7 : 0x1p-10;
            for (float x : output.values(results[0])) {
                ASSERT_NEAR(x, 1, unit) << where;
            }
        }
        expect_all_close(output.values(results[0]), exact.output, tolerance.output, "output of " + where);
        expect_all_close(results[1], exact.log_sum_exp, tolerance.log_sum_exp, "log-sum-exp of " + where);
        check_state(p, kernel.storage, results, exact, tolerance, where);
        memory.clear();
    }

    static double sink_of(const AttentionProblem& p, size_t row) { return p.sink[row / p.queries % p.heads]; }

    // Maximum and normalizer are the log-sum-exp in two parts, and the output before it was rounded rounds to it.
    static void check_state(const AttentionProblem& p, Storage storage, const std::vector<std::vector<float>>& results,
                            const AttentionSolution& exact, const AttentionTolerance& tolerance, const std::string& where) {
        std::vector<float> log_sum_exp;
        std::vector<double> expected = exact.log_sum_exp;
        for (size_t i = 0; i < results[2].size(); i++) {
            const double log_sum = storage == Storage::F32 ? -std::log(double(results[3][i])) : results[3][i] * std::log(2);
            log_sum_exp.push_back(float(double(p.factor()) * results[2][i] + log_sum));
            // Where the sink has all of a row, no key may have any of it: then the two parts may add up to infinity.
            const bool all_sink = !p.sink.empty() && float(std::exp(sink_of(p, i) - expected[i])) == 1;
            if (all_sink && log_sum_exp[i] == INFINITY) {
                expected[i] = INFINITY;
            }
        }
        expect_all_close(log_sum_exp, expected, tolerance.log_sum_exp, "maximum and normalizer of " + where);
        size_t next = 4;
        if (!p.sink.empty()) {
            std::vector<double> share;
            for (size_t i = 0; i < exact.log_sum_exp.size(); i++) {
                share.push_back(std::exp(sink_of(p, i) - exact.log_sum_exp[i]));
            }
            expect_all_close(results[next++], share, 2 * tolerance.log_sum_exp, "share of the sink of " + where);
        }
        if (storage != Storage::F32) {
            for (size_t i = 0; i < results[next].size(); i++) {
                const uint16_t* halves = reinterpret_cast<const uint16_t*>(results[0].data());
                const float rounded = storage == Storage::BF16 ? sim::from_bf16(halves[i]) : sim::from_f16(halves[i]);
                if (!std::isnan(rounded)) {
                    ASSERT_EQ(round_to(storage, results[next][i]), rounded) << where;
                }
            }
        }
    }

    // The tightest tiled and the tightest whole-head kernel, or every one.
    void check_all(const AttentionProblem& p, std::vector<Storage> storages = {Storage::F32}, bool every = false) {
        for (Storage storage : storages) {
            bool tiled = false, whole = false;
            for (const AttentionKernel& kernel : kernels(storage)) {
                bool& done = kernel.rows ? tiled : whole;
                if (std::max(p.dim, p.value_dim) <= kernel.dim && (every || !done)) {
                    check(kernel, p);
                    done = true;
                }
            }
        }
    }
};

TEST_F(AttentionForward, EqualsTheFormulaForAwkwardShapes) {
    const int shapes[][4] = {{1, 1, 1, 1},    {2, 3, 5, 2},    {17, 13, 6, 31},  {33, 97, 32, 32},
                             {5, 70, 59, 33}, {66, 65, 40, 64}, {31, 33, 111, 97}, {34, 40, 207, 256}};
    for (const auto& s : shapes) {
        check_all(with_inputs({.batch = 2, .heads = 1, .queries = s[0], .keys = s[1], .dim = s[2], .value_dim = s[3]}));
    }
}

// Every kernel once, at a shape that fills no tile.
TEST_F(AttentionForward, EveryInstance) {
    const std::vector<Storage> all{Storage::F32, Storage::BF16, Storage::F16};
    check_all(with_inputs({.heads = 3, .queries = 13, .keys = 16, .dim = 15, .value_dim = 9}), all, true);
    check_all(with_inputs({.queries = 30, .keys = 41, .dim = 16, .value_dim = 32, .right = 0, .bottom_right = true}), all, true);
    check_all(with_inputs({.heads = 2, .queries = 97, .keys = 67, .dim = 64, .value_dim = 40, .left = 60, .rows_first = true}), all);
}

TEST_F(AttentionForward, LongerThanSeveralTiles) {
    check_all(with_inputs({.queries = 130, .keys = 257, .dim = 16, .value_dim = 16, .right = 0, .bottom_right = true}),
              {Storage::F32, Storage::BF16});
}

TEST_F(AttentionForward, MasksByPosition) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [left, right] : {std::pair{-1, 0}, {2, 0}, {0, 0}, {5, 3}, {-1, 7}, {20, -1}, {0x7FFFFFFF, 0x7FFFFFFF}}) {
            for (const auto& [queries, keys] : {std::pair{19, 37}, {37, 19}}) {
                check_all(with_inputs({.queries = queries, .keys = keys, .dim = 6, .value_dim = 5, .left = left, .right = right,
                                       .bottom_right = bottom_right}));
            }
        }
    }
}

TEST_F(AttentionForward, MasksBySegmentsAndLengthsInBothLayouts) {
    for (bool rows_first : {false, true}) {
        check_all(with_segments(with_inputs({.batch = 3, .heads = 2, .queries = 18, .keys = 35, .dim = 8, .value_dim = 4,
                                             .right = 0, .bottom_right = true, .rows_first = rows_first,
                                             .key_lengths = {35, 7, -2}})),
                  {Storage::F32, Storage::BF16});
    }
}

TEST_F(AttentionForward, GroupedHeadsPastKeysAndSinks) {
    for (AttentionProblem p : language_models()) {
        p.dim = 17, p.value_dim = 24;
        check_all(with_inputs(p), {Storage::F32, Storage::BF16, Storage::F16});
    }
    for (const auto& [dim, value_dim] : {std::pair{64, 17}, {17, 96}, {256, 64}}) {
        check_all(with_inputs(with_sink({.heads = 3, .group = 3, .queries = 66, .keys = 97, .dim = dim, .value_dim = value_dim,
                                         .right = 0, .past = 31})),
                  {Storage::F32, Storage::BF16});
    }
    check_all(with_inputs({.heads = 2, .group = 2, .queries = 207, .keys = 207, .dim = 6, .value_dim = 5, .right = 0}));
}

TEST_F(AttentionForward, ASinkMayOutweighAllScoresOrNone) {
    AttentionProblem p = with_inputs({.heads = 4, .queries = 18, .keys = 21, .dim = 4, .value_dim = 4});
    p.sink = {-INF_F, -200, 60, 300};
    check_all(p, {Storage::F32, Storage::BF16});
}

// Rows that see no key, or none whose score is a finite number: all goes to the sink.
TEST_F(AttentionForward, ScoresOfMinusInfinityLeaveAllToTheSink) {
    AttentionProblem p{.queries = 3, .keys = 3, .dim = 1, .value_dim = 1, .right = 0, .bottom_right = true, .scale = 1,
                       .key_lengths = {2}};
    p.query = {1, 1, 1};
    p.key = {-INF_F, -INF_F, 0};
    p.value = {1, 2, 3};
    p.sink = {-0.5f};
    check_all(p, {Storage::F32, Storage::BF16, Storage::F16});
    p.query_segments = {0, 0, 1};
    p.key_segments = {1, 1, 1};
    check_all(p, {Storage::F32, Storage::BF16, Storage::F16});
}

TEST_F(AttentionForward, WithoutKeysIsZero) {
    check_all(with_inputs({.queries = 3, .keys = 0, .dim = 4, .value_dim = 4}));
    check_all(with_inputs(with_sink({.heads = 2, .group = 2, .queries = 3, .keys = 0, .dim = 4, .value_dim = 4})));
}

TEST_F(AttentionForward, WhatIsHiddenMayBeNaN) {
    AttentionProblem p = with_inputs({.queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .right = 0, .key_lengths = {18}});
    for (int j = 18; j < 24; j++) {  // padding
        for (int d = 0; d < 4; d++) {
            p.key[j * 4 + d] = p.value[j * 4 + d] = NAN_F;
        }
    }
    p.value[10 * 4 + 1] = INF_F;  // seen by queries 10 and later only
    p.key[12 * 4] = NAN_F;
    check_all(p, {Storage::F32, Storage::BF16, Storage::F16});
    p.key_lengths.clear();
    for (int j = 0; j < 24; j++) {  // other episodes
        p.key_segments.push_back(j >= 18);
        p.query_segments.push_back(0);
    }
    check_all(p, {Storage::F32, Storage::F16});
}

// Query 0 sees one key whose score is 200 below that of the other: exp of that is no float, but its NaN counts.
TEST_F(AttentionForward, AVisibleNaNCountsHoweverSmallItsWeight) {
    AttentionProblem p{.queries = 2, .keys = 3, .dim = 1, .value_dim = 1, .right = 1, .scale = 1};
    p.query = {1, 1};
    p.key = {200, 0, 0};
    p.value = {1, NAN_F, 2};
    check_all(p);
}

TEST_F(AttentionForward, LargeScoresDoNotOverflow) {
    AttentionProblem p = with_inputs({.queries = 18, .keys = 40, .dim = 4, .value_dim = 4});
    for (float scale : {8.f, -8.f, 0x1p-140f}) {
        p.scale = scale;
        check_all(p);
    }
}

// However large the scores, weights and their sum are of one piece.
TEST_F(AttentionForward, WeightsOfLargeScoresSumToOne) {
    values_are_one = true;
    AttentionProblem p = with_inputs({.queries = 17, .keys = 203, .dim = 4, .value_dim = 3});
    for (std::vector<float>* x : {&p.query, &p.key}) {
        for (float& e : *x) e = 80 + e / 80;
    }
    std::fill(p.value.begin(), p.value.end(), 1.f);
    check_all(p, {Storage::F32, Storage::BF16, Storage::F16}, true);
}

// Infinities are what float arithmetic makes of them, though a float goes through the tensor cores in two parts.
TEST_F(AttentionForward, InfinitiesThatAreSeen) {
    AttentionProblem p = with_inputs({.queries = 18, .keys = 21, .dim = 4, .value_dim = 4});
    for (float& x : p.query) x = std::abs(x);
    p.key[3 * 4 + 1] = p.key[3 * 4 + 2] = -INF_F;
    check_all(p);
    p.value[5 * 4 + 2] = -INF_F;
    check_all(p);
}

// Neither the sum of large values nor the low parts of small ones leave the range of floats. (A mean of the very largest
// float may be rounded to infinity.)
TEST_F(AttentionForward, ValuesAtTheEndsOfTheRange) {
    for (float scale : {1e-36f, 1e-38f}) {
        AttentionProblem p = with_inputs({.queries = 18, .keys = 21, .dim = 4, .value_dim = 4});
        for (float& x : p.value) x *= scale;
        check_all(p);
    }
    AttentionProblem p = with_inputs({.queries = 70, .keys = 70, .dim = 4, .value_dim = 1});
    for (float value : {3e38f, 3.4e38f}) {
        std::fill(p.value.begin(), p.value.end(), value);
        check_all(p);
        p.value[3] = -value;
        check_all(p);
    }
}

TEST_F(AttentionForward, OneProductOfTf32) {
    check_all(with_inputs({.queries = 33, .keys = 40, .dim = 40, .value_dim = 32, .tf32 = true}));
}

// One key per key head, so that each output is its value.
TEST_F(AttentionForward, TakesMoreHeadsThanAGridHasRows) {
    if (!getenv("FOVEA_DEEP")) {
        GTEST_SKIP() << "66,000 heads take two minutes; set FOVEA_DEEP=1";
    }
    const int batch = 33000, heads = 2;
    AttentionProblem p = with_inputs({.batch = batch, .heads = heads, .group = 2});
    for (const AttentionKernel& kernel : {kernels(Storage::F32)[0], kernels(Storage::F32)[4]}) {
        check(kernel, p);
    }
}
