#include "attention_kernels.h"

class AttentionBackward : public AttentionTest {
  protected:
    // A way to all three gradients: one whole-head kernel, or one over rows and one over columns.
    struct Schedule {
        AttentionKernel rows, columns;  // the same if whole
        int parts = 1;                  // blocks that share out the columns of dK and dV
    };
    static std::vector<Schedule> schedules(Storage storage) {
        std::vector<Schedule> all;
        for (const auto& [dim, moving] : {std::pair{16, 16}, {32, 16}, {32, 32}, {64, 32}}) {
            const AttentionKernel whole{"backward", storage, dim, 0, moving};
            all.push_back({whole, whole});
        }
        auto tiled = [&](int dim, int rows, int keys, int queries, int parts) {
            all.push_back({{"backward_rows", storage, dim, rows, keys}, {"backward_columns", storage, dim, rows, queries}, parts});
        };
        const bool wide = storage != Storage::F32;
        tiled(32, 64, 32, 32, 1);
        tiled(64, wide ? 128 : 64, 32, wide ? 16 : 32, 1);
        tiled(128, 64, wide ? 32 : 16, wide ? 32 : 16, 1);
        tiled(256, wide ? 64 : 32, 16, 16, 2);
        return all;
    }

    AttentionProblem with_gradients(AttentionProblem p, bool of_log_sum_exp = true) {
        p = with_inputs(p);
        p.gradients = true;
        p.d_output = normal(p.matrices() * p.queries * p.value_dim);
        if (of_log_sum_exp) {
            p.d_log_sum_exp = normal(p.matrices() * p.queries);
        }
        return p;
    }

    // Where no tolerance is given it is that of random inputs.
    void check(const Schedule& schedule, AttentionProblem p, const AttentionTolerance* given = nullptr) {
        const Storage storage = schedule.rows.storage;
        const bool is_whole = schedule.rows.rows == 0;
        const WholeHeads whole = whole_heads(schedule.rows, p, 5, 3);
        if (is_whole && whole.threads == 0) {
            return;
        }
        round_inputs(p, storage);
        const AttentionSolution exact = exact_solution(p);
        AttentionParams params = parameters(p, storage);
        with_state(params, p, storage, &exact);
        params.d_output = stored(p.d_output, storage).address;
        params.d_log_sum_exp = p.d_log_sum_exp.empty() ? nullptr : device(p.d_log_sum_exp);
        const Array delta = unwritten(p.matrices() * p.queries, Storage::F32);
        const Array d_query = unwritten(p.query.size(), storage), d_key = unwritten(p.key.size(), storage),
                    d_value = unwritten(p.value.size(), storage);
        params.delta = static_cast<float*>(delta.address);
        params.d_query = d_query.address;
        params.d_key = d_key.address;
        params.d_value = d_value.address;

        std::vector<std::vector<float>> results;
        if (is_whole) {
            std::vector<Output> outputs{d_query.output(), d_key.output(), d_value.output()};
            if (!p.sink.empty()) {
                outputs.push_back(delta.output());
            }
            results = run(schedule.rows.name(), whole.blocks, whole.threads, whole.shared, params, outputs);
        } else {
            const size_t row_bytes = schedule.rows.row_bytes();
            const int rows = schedule.rows.rows, stages = row_bytes - 16 < 512 ? 2 : 1;
            const unsigned threads = rows < 64 ? 2 * rows : 128;
            auto tiles = [&](size_t heads, int count) { return unsigned(heads * ((count + rows - 1) / rows)); };
            auto shared = [&](int moving, int scalars) {
                return (2 * rows + 2 * stages * moving) * row_bytes + scalars * stages * moving * sizeof(float);
            };
            results = run(schedule.rows.name(), tiles(p.matrices(), p.queries), threads, shared(schedule.rows.moving, 0), params,
                          {d_query.output(), delta.output()});
            const auto columns = run(schedule.columns.name(), tiles(p.key_matrices(), p.keys) * schedule.parts, threads,
                                     shared(schedule.columns.moving, 3), params, {d_key.output(), d_value.output()});
            results = {results[0], columns[0], columns[1], results[1]};
        }

        const AttentionTolerance tolerance = given ? *given
            : storage == Storage::F32 ? float_tolerance(p, exact) : storage_tolerance(p, exact, storage);
        const std::string where = p.text() + " by " + schedule.rows.name();
        expect_all_close(d_query.values(results[0]), exact.d_query, tolerance.d_query, "dQuery of " + where);
        expect_all_close(d_key.values(results[1]), exact.d_key, tolerance.d_key, "dKey of " + where);
        expect_all_close(d_value.values(results[2]), exact.d_value, tolerance.d_value, "dValue of " + where);
        if (results.size() == 4) {
            std::vector<double> deltas = exact.delta;
            for (size_t i = 0; i < deltas.size(); i++) {
                if (std::isinf(exact.log_sum_exp[i])) deltas[i] = results[3][i];  // of no use, and may be NaN
            }
            expect_all_close(results[3], deltas, tolerance.delta, "D of " + where);
        }
        memory.clear();
    }

    // The tightest tiled and the tightest whole-head kernels, or every one.
    void check_all(const AttentionProblem& p, std::vector<Storage> storages = {Storage::F32}, bool every = false) {
        for (Storage storage : storages) {
            bool tiled = false, whole = false;
            for (const Schedule& schedule : schedules(storage)) {
                bool& done = schedule.rows.rows ? tiled : whole;
                if (std::max(p.dim, p.value_dim) <= schedule.rows.dim && (every || !done)) {
                    check(schedule, p);
                    done = true;
                }
            }
        }
    }
};

TEST_F(AttentionBackward, EqualsTheFormulaForAwkwardShapes) {
    const int shapes[][4] = {{1, 1, 1, 1},    {2, 3, 5, 2},    {17, 13, 6, 31},  {33, 97, 32, 32},
                             {5, 70, 59, 33}, {66, 65, 40, 64}, {31, 33, 111, 97}, {34, 40, 207, 256}};
    for (const auto& s : shapes) {
        check_all(with_gradients({.batch = 2, .heads = 1, .queries = s[0], .keys = s[1], .dim = s[2], .value_dim = s[3]}));
    }
}

// Every kernel once, at a shape that fills no tile.
TEST_F(AttentionBackward, EveryInstance) {
    const std::vector<Storage> all{Storage::F32, Storage::BF16, Storage::F16};
    check_all(with_gradients({.heads = 3, .queries = 13, .keys = 16, .dim = 15, .value_dim = 9}, false), all, true);
    check_all(with_gradients({.queries = 41, .keys = 30, .dim = 16, .value_dim = 32, .right = 0, .bottom_right = true}), all, true);
    check_all(with_gradients({.heads = 2, .queries = 67, .keys = 97, .dim = 64, .value_dim = 40, .left = 60, .rows_first = true}),
              all);
}

TEST_F(AttentionBackward, LongerThanSeveralTiles) {
    check_all(with_gradients({.queries = 257, .keys = 130, .dim = 16, .value_dim = 16, .right = 0}),
              {Storage::F32, Storage::BF16});
}

TEST_F(AttentionBackward, MasksByPosition) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [left, right] : {std::pair{-1, 0}, {2, 0}, {0, 0}, {5, 3}, {-1, 7}, {20, -1}, {0x7FFFFFFF, 0x7FFFFFFF}}) {
            for (const auto& [queries, keys] : {std::pair{19, 37}, {37, 19}}) {
                check_all(with_gradients({.queries = queries, .keys = keys, .dim = 6, .value_dim = 5, .left = left,
                                          .right = right, .bottom_right = bottom_right}));
            }
        }
    }
}

TEST_F(AttentionBackward, MasksBySegmentsAndLengthsInBothLayouts) {
    for (bool rows_first : {false, true}) {
        check_all(with_segments(with_gradients({.batch = 3, .heads = 2, .queries = 18, .keys = 35, .dim = 8, .value_dim = 4,
                                                .right = 0, .bottom_right = true, .rows_first = rows_first,
                                                .key_lengths = {35, 7, -2}})),
                  {Storage::F32, Storage::BF16});
    }
}

TEST_F(AttentionBackward, GroupedHeadsPastKeysAndSinks) {
    for (AttentionProblem p : language_models()) {
        p.dim = 17, p.value_dim = 24;
        check_all(with_gradients(p), {Storage::F32, Storage::BF16, Storage::F16});
    }
    for (const auto& [dim, value_dim] : {std::pair{64, 17}, {17, 96}, {256, 64}}) {
        check_all(with_gradients(with_sink({.heads = 3, .group = 3, .queries = 66, .keys = 97, .dim = dim, .value_dim = value_dim,
                                            .right = 0, .past = 31})),
                  {Storage::F32, Storage::BF16});
    }
    check_all(with_gradients({.heads = 2, .group = 2, .queries = 207, .keys = 207, .dim = 6, .value_dim = 5, .right = 0}));
}

TEST_F(AttentionBackward, WithoutKeysOrQueriesIsZero) {
    check_all(with_gradients({.queries = 3, .keys = 0, .dim = 4, .value_dim = 4}));
    check_all(with_gradients({.queries = 0, .keys = 3, .dim = 4, .value_dim = 4}));
    check_all(with_gradients({.heads = 2, .group = 2, .queries = 0, .keys = 3, .dim = 4, .value_dim = 4}));
}

TEST_F(AttentionBackward, WhatIsHiddenMayBeNaN) {
    // Query i sees keys i - 4 to i, if they are among the first 14. Queries 18 and 19 see none.
    AttentionProblem p = with_gradients({.queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .left = 4, .right = 0,
                                         .key_lengths = {14}});
    for (int d = 0; d < 4; d++) {
        for (int j = 14; j < 24; j++) {
            p.key[j * 4 + d] = p.value[j * 4 + d] = NAN_F;
        }
        p.query[18 * 4 + d] = p.d_output[19 * 4 + d] = NAN_F;
    }
    check_all(p, {Storage::F32, Storage::BF16, Storage::F16});
    // What is seen reaches those who see it.
    AttentionProblem q = p;
    q.d_output[9 * 4 + 2] = NAN_F;
    check_all(q, {Storage::F32, Storage::F16});
    q = p;
    q.query[16 * 4 + 1] = NAN_F;
    check_all(q);
    q = p;
    q.key[3 * 4 + 2] = NAN_F;
    check_all(q);
    q = p;
    q.value[5 * 4] = INF_F;
    check_all(q);
}

// NaN in a query of one head of a group reaches the keys that it sees, and no other.
TEST_F(AttentionBackward, WhatIsHiddenMayBeNaNInAGroup) {
    AttentionProblem p = with_gradients({.heads = 2, .group = 2, .queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .left = 4,
                                         .right = 0, .past = 2, .key_lengths = {14}});
    for (int d = 0; d < 4; d++) {
        p.key[20 * 4 + d] = p.value[15 * 4 + d] = p.query[(20 + 18) * 4 + d] = p.d_output[(20 + 17) * 4 + d] = NAN_F;
    }
    check_all(p, {Storage::F32, Storage::BF16});
}

// One key has nearly all probability, so dP - D is a difference of numbers that are nearly equal: D must have in it what dP was
// rounded by. In dK it is rounded once more.
TEST_F(AttentionBackward, OneKeyDominates) {
    for (const Schedule& schedule : schedules(Storage::F32)) {
        const int dim = schedule.rows.dim, queries = schedule.rows.moving == 16 ? 15 : 49;
        if (dim == 256) continue;  // leaves no registers for it
        for (float above : {9.f, 40.f}) {
            AttentionProblem p = with_gradients({.heads = 2, .queries = queries, .keys = queries, .dim = dim, .value_dim = dim}, false);
            p.sink = {1, -INF_F};
            for (size_t row = 0; row < p.matrices() * queries; row++) {
                const bool chosen = int(row) % queries == queries / 2;
                for (int d = 0; d < dim; d++) p.key[row * dim + d] *= 0.25f;
                p.query[row * dim] = 4;
                p.key[row * dim] = chosen ? above / 4 * std::sqrt(float(dim)) : 0;
            }
            const AttentionSolution exact = exact_solution(p);
            AttentionTolerance tolerance = float_tolerance(p, exact);
            const double d_score = p.factor() * largest(exact.delta);
            tolerance.d_query = (above > 20 ? 0x1p-36 : 0x1p-28) * d_score * largest(p.key);
            tolerance.d_key = (above > 20 ? 0x1p-36 : 0x1p-25) * std::sqrt(queries) * d_score * largest(p.query);
            check(schedule, p, &tolerance);
        }
    }
}

TEST_F(AttentionBackward, OneProductOfTf32) {
    check_all(with_gradients({.queries = 33, .keys = 40, .dim = 40, .value_dim = 32, .tf32 = true}));
}

TEST_F(AttentionBackward, NegativeAndSmallScale) {
    AttentionProblem p = with_gradients({.queries = 18, .keys = 20, .dim = 4, .value_dim = 4});
    for (float scale : {-2.f, 0x1p-90f}) {
        p.scale = scale;
        check_all(p);
    }
}
