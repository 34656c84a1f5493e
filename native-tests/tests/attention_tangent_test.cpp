#include "attention_kernels.h"

class AttentionTangent : public AttentionTest {
  protected:
    // A problem with tangents. What is empty is null.
    struct Problem {
        AttentionProblem at;
        std::vector<float> query, key, value, sink, d_output, d_log_sum_exp;  // tangents
    };
    // A tangent, and the sum of the magnitudes of the terms that each element is made of.
    struct Result {
        std::vector<double> values, sizes;
        explicit Result(size_t count) : values(count), sizes(count) {}
        void add(size_t i, double term, double size) {
            values[i] += term;
            sizes[i] += size;
        }
    };
    struct Solution {
        Result output, log_sum_exp, d_query, d_key, d_value;
        double largest_score = 0;  // sum of magnitudes
    };
    // A sum with the sum of the magnitudes of its terms.
    struct Sum {
        double value = 0, size = 0;
        void add(double term) { add(term, std::abs(term)); }
        void add(double term, double magnitude) {
            value += term;
            size += magnitude;
        }
    };

    Problem with_tangents(const AttentionProblem& problem, bool all = true) {
        Problem p{with_inputs(problem), {}, {}, {}, {}, {}, {}};
        p.query = normal(p.at.query.size());
        p.key = normal(p.at.key.size());
        p.value = normal(p.at.value.size());
        if (all) {
            p.sink = normal(p.at.sink.size());
        }
        const size_t outputs = p.at.matrices() * p.at.queries * p.at.value_dim, rows = p.at.matrices() * p.at.queries;
        p.at.d_output = normal(outputs);
        if (all) {
            p.at.d_log_sum_exp = normal(rows);
            p.d_output = normal(outputs);
            p.d_log_sum_exp = normal(rows);
        }
        return p;
    }

    // The product rule applied to each line of the forward and of the backward, sums over keys in float64.
    static Solution solve(const Problem& p) {
        const AttentionProblem& a = p.at;
        const size_t outputs = a.matrices() * a.queries * a.value_dim, rows = a.matrices() * a.queries;
        Solution s{Result(outputs), Result(rows), Result(a.query.size()), Result(a.key.size()), Result(a.value.size())};
        auto or_zero = [](const std::vector<float>& values, size_t i) { return values.empty() ? 0.0 : double(values[i]); };
        for (int b = 0; b < a.batch; b++) {
            for (int h = 0; h < a.heads; h++) {
                for (int i = 0; i < a.queries; i++) {
                    auto q = [&](int d) { return a.at(b, h, i, d, a.dim); };
                    auto o = [&](int d) { return a.at(b, h, i, d, a.value_dim); };
                    auto k = [&](int j, int d) { return a.key_at(b, h, j, d, a.dim); };
                    auto v = [&](int j, int d) { return a.key_at(b, h, j, d, a.value_dim); };
                    const size_t row = (size_t(b) * a.heads + h) * a.queries + i;
                    std::vector<int> seen;
                    std::vector<Sum> score, t;
                    double highest = -INFINITY;
                    for (int j = 0; j < a.keys; j++) {
                        if (a.visible(b, i, j)) {
                            Sum sum, tangent;
                            for (int d = 0; d < a.dim; d++) {
                                sum.add(a.factor() * double(a.query[q(d)]) * a.key[k(j, d)]);
                                tangent.add(a.factor() * double(p.query[q(d)]) * a.key[k(j, d)]);
                                tangent.add(a.factor() * double(a.query[q(d)]) * p.key[k(j, d)]);
                            }
                            seen.push_back(j);
                            score.push_back(sum);
                            t.push_back(tangent);
                            highest = std::max(highest, sum.value);
                            s.largest_score = std::max(s.largest_score, sum.size);
                        }
                    }
                    const bool sinks = !a.sink.empty();
                    double total = 0;
                    if (sinks) {
                        highest = std::max<double>(highest, a.sink[h]);
                        total = std::exp(a.sink[h] - highest);
                    }
                    const double sink_weight = total;
                    for (const Sum& x : score) total += std::exp(x.value - highest);
                    std::vector<double> w, w_dot, w_dot_size;
                    Sum r, mean, mean_dot;
                    for (size_t n = 0; n < seen.size(); n++) {
                        w.push_back(std::exp(score[n].value - highest) / total);
                        r.add(w[n] * t[n].value, w[n] * t[n].size);
                    }
                    if (sinks) {
                        r.add(sink_weight / total * or_zero(p.sink, h));
                    }
                    s.log_sum_exp.add(row, r.value, r.size);
                    std::vector<Sum> g(seen.size()), g_dot(seen.size());
                    mean.add(-or_zero(a.d_log_sum_exp, row));
                    mean_dot.add(-or_zero(p.d_log_sum_exp, row));
                    for (size_t n = 0; n < seen.size(); n++) {
                        w_dot.push_back(w[n] * (t[n].value - r.value));
                        w_dot_size.push_back(w[n] * (t[n].size + r.size));
                        for (int d = 0; d < a.value_dim; d++) {
                            const size_t at_o = o(d), at_v = v(seen[n], d);
                            const double d_out = a.d_output[at_o], d_out_dot = or_zero(p.d_output, at_o);
                            g[n].add(d_out * a.value[at_v]);
                            g_dot[n].add(d_out * p.value[at_v]);
                            g_dot[n].add(d_out_dot * a.value[at_v]);
                            s.output.add(at_o, w_dot[n] * a.value[at_v] + w[n] * p.value[at_v],
                                         w_dot_size[n] * std::abs(a.value[at_v]) + w[n] * std::abs(p.value[at_v]));
                            s.d_value.add(at_v, w_dot[n] * d_out + w[n] * d_out_dot,
                                          w_dot_size[n] * std::abs(d_out) + w[n] * std::abs(d_out_dot));
                        }
                        mean.add(w[n] * g[n].value, w[n] * g[n].size);
                        mean_dot.add(w_dot[n] * g[n].value + w[n] * g_dot[n].value,
                                     w_dot_size[n] * g[n].size + w[n] * g_dot[n].size);
                    }
                    for (size_t n = 0; n < seen.size(); n++) {
                        const double size = g[n].size + mean.size, size_dot = g_dot[n].size + mean_dot.size;
                        const Sum d_score{a.factor() * w[n] * (g[n].value - mean.value), std::abs(a.factor()) * w[n] * size};
                        const Sum d_score_dot{
                            a.factor() * (w_dot[n] * (g[n].value - mean.value) + w[n] * (g_dot[n].value - mean_dot.value)),
                            std::abs(a.factor()) * (w_dot_size[n] * size + w[n] * size_dot)};
                        for (int d = 0; d < a.dim; d++) {
                            const size_t at_q = q(d), at_k = k(seen[n], d);
                            s.d_query.add(at_q, d_score_dot.value * a.key[at_k] + d_score.value * p.key[at_k],
                                          d_score_dot.size * std::abs(a.key[at_k]) + d_score.size * std::abs(p.key[at_k]));
                            s.d_key.add(at_k, d_score_dot.value * a.query[at_q] + d_score.value * p.query[at_q],
                                        d_score_dot.size * std::abs(a.query[at_q]) + d_score.size * std::abs(p.query[at_q]));
                        }
                    }
                }
            }
        }
        return s;
    }

    // Relative to the sum of magnitudes: the error of a product (2^-21 in three TF32 products, 2^-10 in one, exact of 16-bit
    // numbers), of an exponential, of a sum over keys, and of four roundings to the storage type: O, the weights, O. and the
    // result. F16 also loses what is below 2^-25.
    static double relative_error(const Problem& p, const Solution& s, Storage storage) {
        const double unit = storage != Storage::F32 ? 0x1p-23 : p.at.tf32 ? 0x1p-10 : 0x1p-21;
        const double rounding = storage == Storage::BF16 ? 0x1p-8 : storage == Storage::F16 ? 0x1p-11 : 0;
        return unit * (2 * s.largest_score + 4) + 0x1p-24 * (std::sqrt(double(p.at.keys)) + 8) + 4 * rounding;
    }

    static void expect_close_to(const Result& exact, const std::vector<float>& actual, double relative, double lost,
                                const std::string& what) {
        ASSERT_EQ(actual.size(), exact.values.size()) << what;
        int reported = 0;
        for (size_t i = 0; i < actual.size() && reported < 3; i++) {
            const double allowed = relative * exact.sizes[i] + lost;
            const bool close = std::abs(actual[i] - exact.values[i]) <= allowed;
            EXPECT_TRUE(close) << what << " at " << i << ": " << actual[i] << ", expected " << exact.values[i] << " within "
                               << allowed;
            reported += !close;
        }
    }

    // Kernels of jvp.cu, tangent_rows.cu and tangent_columns.cu share their tiles.
    struct Tile {
        int dim, rows, moving, parts, moving_pairs;
    };
    static Tile tile_of(Storage storage, int dim) {
        const int row_bytes = dim * (storage == Storage::F32 ? 4 : 2);
        if (row_bytes <= 128) return {dim, 64, 32, 1, 2};
        if (row_bytes <= 256) return {dim, 64, 16, 1, 2};
        if (row_bytes <= 512) return {dim, 32, 16, dim / 128, 2};
        return {dim, 16, 16, 2, 1};
    }

    // A problem in device memory, with what the kernels write.
    struct OnDevice {
        AttentionParams params;
        Array output, r, delta, delta_tangent, d_query, d_key, d_value;
    };
    OnDevice on_device(const Problem& p, Storage storage) {
        const AttentionProblem& a = p.at;
        const AttentionSolution forward = exact_solution(a);
        const size_t rows = a.matrices() * a.queries;
        OnDevice d{parameters(a, storage), unwritten(rows * a.value_dim, storage), unwritten(rows, Storage::F32),
                   unwritten(rows, Storage::F32), unwritten(rows, Storage::F32), unwritten(a.query.size(), storage),
                   unwritten(a.key.size(), storage), unwritten(a.value.size(), storage)};
        auto maybe = [&](const std::vector<float>& values) { return values.empty() ? nullptr : device(values); };
        with_state(d.params, a, storage, &forward);
        d.params.query_tangent = stored(p.query, storage).address;
        d.params.key_tangent = stored(p.key, storage).address;
        d.params.value_tangent = stored(p.value, storage).address;
        d.params.sink_tangent = maybe(p.sink);
        d.params.d_output = stored(a.d_output, storage).address;
        d.params.d_log_sum_exp = maybe(a.d_log_sum_exp);
        d.params.d_output_tangent = p.d_output.empty() ? nullptr : stored(p.d_output, storage).address;
        d.params.d_log_sum_exp_tangent = maybe(p.d_log_sum_exp);
        d.params.output_tangent = d.output.address;
        d.params.log_sum_exp_tangent = static_cast<float*>(d.r.address);
        d.params.delta = static_cast<float*>(d.delta.address);
        d.params.delta_tangent = static_cast<float*>(d.delta_tangent.address);
        d.params.d_query = d.d_query.address;
        d.params.d_key = d.d_key.address;
        d.params.d_value = d.d_value.address;
        return d;
    }

    double of_largest = 0;  // error allowed of dQ. and dK. in place of that of random inputs, relative to the largest size

    void compare(const Problem& p, Storage storage, const OnDevice& d, const std::vector<std::vector<float>>& results,
                 const std::string& kernel) {
        const Solution exact = solve(p);
        const double relative = relative_error(p, exact, storage);
        const double lost = storage == Storage::F16 ? 0x1p-25 * 16 * std::max(p.at.keys, p.at.queries) : 0x1p-120;
        const std::string where = p.at.text() + " by " + kernel;
        expect_close_to(exact.output, d.output.values(results[0]), relative, lost, "output tangent of " + where);
        expect_close_to(exact.log_sum_exp, d.r.values(results[1]), relative, lost, "LSE tangent of " + where);
        const double own = of_largest == 0 ? relative : 0;
        expect_close_to(exact.d_query, d.d_query.values(results[2]), own, lost + of_largest * largest(exact.d_query.sizes),
                        "dQuery tangent of " + where);
        expect_close_to(exact.d_key, d.d_key.values(results[3]), own, lost + of_largest * largest(exact.d_key.sizes),
                        "dKey tangent of " + where);
        expect_close_to(exact.d_value, d.d_value.values(results[4]), relative, lost, "dValue tangent of " + where);
        memory.clear();
    }

    void check_tiled(const Problem& p, Storage storage, int dim) {
        const Tile tile = tile_of(storage, dim);
        const AttentionProblem& a = p.at;
        const OnDevice d = on_device(p, storage);
        auto kernel = [&](const char* kind) { return AttentionKernel{kind, storage, dim, tile.rows, tile.moving}; };
        const size_t row_bytes = kernel("jvp").row_bytes();
        const unsigned threads = unsigned(std::min(4, tile.rows / 16) * 32);
        auto blocks = [&](size_t heads, int count) { return unsigned(heads * ((count + tile.rows - 1) / tile.rows)); };
        const size_t shared = (4 * tile.rows + 2 * tile.moving_pairs * tile.moving) * row_bytes;
        const auto jvp = run(kernel("jvp").name(), blocks(a.matrices(), a.queries), threads, (2 * tile.rows + 4 * tile.moving) * row_bytes,
                             d.params, {d.output.output(), d.r.output(), d.delta.output(), d.delta_tangent.output()});
        const auto by_rows = run(kernel("tangent_rows").name(), blocks(a.matrices(), a.queries) * tile.parts, threads, shared, d.params,
                                 {d.d_query.output(), d.delta.output(), d.delta_tangent.output()});
        const auto by_columns = run(kernel("tangent_columns").name(), blocks(a.key_matrices(), a.keys) * tile.parts, threads, shared, d.params,
                                    {d.d_key.output(), d.d_value.output()});
        compare(p, storage, d, {jvp[0], jvp[1], by_rows[0], by_columns[0], by_columns[1]}, kernel("tangent").name());
    }

    void check_whole(const Problem& p, Storage storage, int dim) {
        const AttentionKernel kernel{"tangent", storage, dim, 0, dim == 16 ? 16 : 32};
        const WholeHeads whole = whole_heads(kernel, p.at, 8, 0);
        if (whole.threads == 0) {
            return;
        }
        const OnDevice d = on_device(p, storage);
        const auto results = run(kernel.name(), whole.blocks, whole.threads, whole.shared, d.params,
                                 {d.output.output(), d.r.output(), d.d_query.output(), d.d_key.output(), d.d_value.output()});
        compare(p, storage, d, results, kernel.name());
    }

    // By the smallest tiled and the smallest whole-head kernels that fit, or by every one.
    void check(const Problem& problem, std::vector<Storage> storages = {Storage::F32}, bool every = false) {
        for (Storage storage : storages) {
            Problem p = problem;
            round_inputs(p.at, storage);
            for (auto* values : {&p.query, &p.key, &p.value, &p.d_output}) {
                for (float& x : *values) x = round_to(storage, x);
            }
            bool whole = false, tiled = false;
            for (int dim : {16, 32, 64, 128, 256}) {
                if (std::max(p.at.dim, p.at.value_dim) > dim) continue;
                if (dim <= 64 && (every || !whole)) {
                    check_whole(p, storage, dim);
                    whole = true;
                }
                if (dim >= 32 && (every || !tiled)) {
                    check_tiled(p, storage, dim);
                    tiled = true;
                }
            }
        }
    }
};

TEST_F(AttentionTangent, EqualsTheProductRuleForAwkwardShapes) {
    const int shapes[][4] = {{1, 1, 1, 1}, {2, 3, 5, 2}, {17, 13, 6, 31}, {33, 97, 32, 32}, {5, 70, 30, 33}, {66, 35, 40, 64},
                             {31, 33, 111, 97}, {18, 20, 207, 256}};
    bool all = false;
    for (const auto& s : shapes) {
        all = !all;
        check(with_tangents({.batch = 2, .heads = 1, .queries = s[0], .keys = s[1], .dim = s[2], .value_dim = s[3]}, all));
    }
}

// Every kernel once, at a shape that fills no tile.
TEST_F(AttentionTangent, EveryInstance) {
    const std::vector<Storage> all{Storage::F32, Storage::BF16, Storage::F16};
    check(with_tangents({.heads = 3, .queries = 11, .keys = 37, .dim = 15, .value_dim = 13, .right = 3}), all, true);
}

TEST_F(AttentionTangent, MasksByPosition) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [left, right] : {std::pair{-1, 0}, {2, 0}, {5, 3}, {20, -1}, {0x7FFFFFFF, 0x7FFFFFFF}}) {
            for (const auto& [queries, keys] : {std::pair{19, 37}, {37, 19}}) {
                check(with_tangents({.queries = queries, .keys = keys, .dim = 6, .value_dim = 5, .left = left, .right = right,
                                     .bottom_right = bottom_right}));
            }
        }
    }
}

TEST_F(AttentionTangent, MasksBySegmentsAndLengthsInBothLayouts) {
    for (bool rows_first : {false, true}) {
        check(with_tangents(with_segments({.batch = 3, .heads = 2, .queries = 18, .keys = 35, .dim = 8, .value_dim = 4, .right = 0,
                                           .bottom_right = true, .rows_first = rows_first, .key_lengths = {35, 7, -2}})),
              {Storage::F32, Storage::BF16});
    }
}

TEST_F(AttentionTangent, GroupedHeadsPastKeysAndSinks) {
    bool all = false;
    for (AttentionProblem p : language_models()) {
        p.dim = 17, p.value_dim = 24;
        all = !all || !p.key_lengths.empty();
        check(with_tangents(p, all), {Storage::F32, Storage::BF16, Storage::F16});
    }
    for (const auto& [dim, value_dim] : {std::pair{64, 17}, {17, 96}, {256, 64}}) {
        check(with_tangents(with_sink({.heads = 3, .group = 3, .queries = 35, .keys = 67, .dim = dim, .value_dim = value_dim,
                                       .right = 0, .past = 31})),
              {Storage::F32, Storage::BF16});
    }
}

TEST_F(AttentionTangent, WithoutKeysIsZero) {
    check(with_tangents({.queries = 3, .keys = 0, .dim = 4, .value_dim = 4}));
    check(with_tangents({.queries = 0, .keys = 3, .dim = 4, .value_dim = 4}));
}

// One key has all probability but 2^-50, so dP - D and W - e are differences of numbers that are nearly equal: D and e must have in
// them what dP and W were rounded by.
TEST_F(AttentionTangent, OneKeyDominates) {
    of_largest = 0x1p-36;
    for (int dim : {16, 32, 64, 128}) {
        for (int queries : {15, 39}) {
            Problem p = with_tangents({.heads = 2, .queries = queries, .keys = queries, .dim = dim, .value_dim = dim,
                                       .sink = {1, -INF_F}});
            p.at.d_log_sum_exp.clear();
            p.d_log_sum_exp.clear();
            for (size_t row = 0; row < p.at.matrices() * queries; row++) {
                for (int d = 0; d < dim; d++) p.at.key[row * dim + d] *= 0.25f;
                p.at.query[row * dim] = 4;
                p.at.key[row * dim] = int(row) % queries == queries / 2 ? 10 * std::sqrt(float(dim)) : 0;
            }
            check(p);
        }
    }
}

TEST_F(AttentionTangent, InOneTf32Product) {
    check(with_tangents({.queries = 33, .keys = 35, .dim = 20, .value_dim = 30, .tf32 = true}));
}

TEST_F(AttentionTangent, WhatIsHiddenMayBeNaN) {
    // Query i sees keys i - 4 to i, if they are among the first 14. Queries 18 and 19 see none.
    for (Storage storage : {Storage::F32, Storage::BF16}) {
        Problem p = with_tangents({.queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .left = 4, .right = 0,
                                   .key_lengths = {14}});
        for (int d = 0; d < 4; d++) {
            for (int j = 14; j < 24; j++) {
                p.at.key[j * 4 + d] = p.at.value[j * 4 + d] = p.key[j * 4 + d] = p.value[j * 4 + d] = NAN_F;
            }
            for (int i = 18; i < 20; i++) {
                p.at.query[i * 4 + d] = p.at.d_output[i * 4 + d] = p.query[i * 4 + d] = p.d_output[i * 4 + d] = NAN_F;
            }
        }
        check(p, {storage});
    }
}

// Row sums of the probabilities that each kernel rebuilds, at scores where one unit in the last place is a tenth.
TEST_F(AttentionTangent, ProbabilitiesOfLargeScoresSumToOneInEveryKernel) {
    for (Storage storage : {Storage::F32, Storage::BF16, Storage::F16}) {
        // Query i has scores near 1e6 with all keys; dO_i is row i of the identity, so that dV_j has P_ij in column i.
        Problem p = with_tangents({.queries = 30, .keys = 75, .dim = 20, .value_dim = 30}, false);
        for (size_t i = 0; i < p.at.query.size(); i++) p.at.query[i] = 500 + p.at.query[i];
        for (size_t i = 0; i < p.at.key.size(); i++) p.at.key[i] = 450 + 0.02f * p.at.key[i];
        round_inputs(p.at, storage);
        std::fill(p.at.d_output.begin(), p.at.d_output.end(), 0.f);
        for (int i = 0; i < 30; i++) p.at.d_output[i * 30 + i] = 1;
        std::fill(p.query.begin(), p.query.end(), 0.f);
        std::fill(p.key.begin(), p.key.end(), 0.f);
        std::fill(p.value.begin(), p.value.end(), 1.f);  // so that O. is the sum of P
        OnDevice d = on_device(p, storage);
        forward(d.params, p.at, storage);
        // Of 16 bits, a probability is rounded as an operand and the result once more.
        const double rounding = storage == Storage::F32 ? 4 * 0x1p-24 : storage == Storage::BF16 ? 0x1p-7 : 0x1p-10;
        auto expect_ones = [&](const std::vector<double>& sums, const std::string& kernel) {
            for (double sum : sums) ASSERT_NEAR(sum, 1, rounding) << kernel << " in " << name_of(storage);
        };
        const Tile tile = tile_of(storage, 32);
        const AttentionKernel jvp{"jvp", storage, 32, tile.rows, tile.moving};
        const auto tangent = run(jvp.name(), 1, 128, (2 * tile.rows + 4 * tile.moving) * jvp.row_bytes(), d.params,
                                 {d.output.output(), d.r.output(), d.delta.output(), d.delta_tangent.output()});
        const auto by_rows = d.output.values(tangent[0]);
        expect_ones({by_rows.begin(), by_rows.end()}, jvp.name());
        const AttentionKernel columns{"backward_columns", storage, 32, 64, 32};
        const auto gradients = run(columns.name(), 2, 128, (2 * 64 + 2 * 2 * 32) * columns.row_bytes() + 3 * 2 * 32 * sizeof(float),
                                   d.params, {d.d_key.output(), d.d_value.output()});
        const auto by_columns = d.d_value.values(gradients[1]);
        std::vector<double> sums(30);
        for (size_t i = 0; i < by_columns.size(); i++) sums[i % 30] += by_columns[i];
        expect_ones(sums, columns.name());
        memory.clear();
    }
}
