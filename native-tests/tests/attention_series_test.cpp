// Attention over rings of series, in every form, against naive float64 loops. Functions of series are summed from their
// power series here, where the kernels have recurrences.
#include "../../kernels/series/params.h"
#include "attention_series_problem.h"
#include "kernel_test.h"

class AttentionSeries : public KernelTest {
  protected:
    static constexpr unsigned THREADS = 256;

    // How a launch is cut: kernels/series/series.cuh.
    struct Cut {
        std::string suffix;
        int tile, depth, columns;
        unsigned threads = 256;
        size_t shared(const SeriesProblem& p, int sums) const {
            const int sets = p.softcap > 0 ? 3 : 2;
            return sizeof(float)
                   * (size_t(p.ring.planes) * tile * (2 * (depth + 4) + sets * (tile + 4) + sums + 2) + tile * (tile / 4 + 7));
        }
    };

    // Every instance that can do the problem, with chunks and parts of few columns.
    static std::vector<Cut> cuts(const SeriesProblem& p, bool every) {
        std::vector<Cut> all;
        if (p.ring.planes == 1) {
            all.push_back({"_one", 32, 8, 16});
            all.push_back({"_many", 16, 16, 16, 64});
        }
        if (p.ring.planes <= 3 && (every || p.ring.planes > 1)) {
            all.push_back({"_few", 32, 4, 4});
        }
        if (every || p.ring.planes > 3) {
            all.push_back({"_many", 16, 8, 8});
        }
        return all;
    }

    using Planes = std::vector<std::vector<float>>;

    template <class T>
    void put(T (&to)[16], const Planes& from, Storage storage = Storage::F32) {
        for (size_t k = 0; k < from.size(); k++) {
            to[k] = from[k].empty() ? nullptr : static_cast<T>(stored(from[k], storage));
        }
    }

    void* stored(const std::vector<float>& values, Storage storage) {
        if (storage == Storage::F32) {
            return device(values);
        }
        std::vector<uint16_t> halves((values.size() + 1) / 2 * 2);
        for (size_t i = 0; i < values.size(); i++) {
            halves[i] = storage == Storage::BF16 ? sim::to_bf16(values[i]) : sim::to_f16(values[i]);
        }
        return device(halves);
    }
    static std::vector<float> loaded(const std::vector<float>& words, size_t count, Storage storage) {
        std::vector<float> values(count);
        const uint16_t* halves = reinterpret_cast<const uint16_t*>(words.data());
        for (size_t i = 0; i < count; i++) {
            values[i] = storage == Storage::F32    ? words[i]
                        : storage == Storage::BF16 ? sim::from_bf16(halves[i])
                                                   : sim::from_f16(halves[i]);
        }
        return values;
    }

    // Results in planes: unwritten memory for each.
    struct Result {
        std::vector<Output> outputs;
        size_t count;
        Storage storage;
    };
    template <class T>
    Result result(T* (&to)[16], int planes, size_t count, Storage storage) {
        Result r{{}, count, storage};
        for (int k = 0; k < planes; k++) {
            void* address = stored(std::vector<float>(count, NAN_F), storage);
            to[k] = static_cast<T*>(address);
            r.outputs.push_back({static_cast<float*>(address), storage == Storage::F32 ? count : (count + 1) / 2});
        }
        return r;
    }

    template <class P>
    void run_all(const std::string& kernel, size_t blocks, size_t shared, const P& params, const std::vector<Result>& results,
                 unsigned threads = THREADS) {
        std::vector<Output> outputs;
        for (const Result& r : results) {
            outputs.insert(outputs.end(), r.outputs.begin(), r.outputs.end());
        }
        if (blocks > 0) {
            run(kernel, unsigned(blocks), threads, shared, params, outputs);
        }
    }

    void expect(const Result& r, const std::vector<Series>& expected, double tolerance, const std::string& what) {
        ASSERT_EQ(r.count, expected.size()) << what;
        for (size_t k = 0; k < r.outputs.size(); k++) {
            const std::vector<float> actual = loaded(host(r.outputs[k].address, r.outputs[k].count), r.count, r.storage);
            double scale = 1;
            for (const Series& x : expected) {
                scale = std::isfinite(x[k]) ? std::max(scale, std::abs(x[k])) : scale;
            }
            int reported = 0;
            for (size_t i = 0; i < r.count && reported < 2; i++) {
                const double e = expected[i][k];
                const bool close = std::isnan(e)   ? std::isnan(actual[i])
                                   : std::isinf(e) ? actual[i] == e
                                                   : std::abs(actual[i] - e) <= tolerance * scale;
                EXPECT_TRUE(close) << what << ", plane " << k << " at " << i << ": " << actual[i] << ", expected " << e;
                reported += !close;
            }
        }
    }

    AttentionSeriesParams parameters(const SeriesProblem& p, Storage storage) {
        AttentionSeriesParams a{};
        const auto strides = [&](int64_t (&to)[3], int heads, int rows, int extent) {
            to[0] = int64_t(heads) * rows * extent;
            to[1] = p.rows_first ? extent : int64_t(rows) * extent;
            to[2] = p.rows_first ? int64_t(heads) * extent : extent;
        };
        strides(a.query_strides, p.heads, p.queries, p.dim);
        strides(a.key_strides, p.key_heads, p.keys, p.dim);
        strides(a.value_strides, p.key_heads, p.keys, p.value_dim);
        strides(a.output_strides, p.heads, p.queries, p.value_dim);
        const auto term = [](int64_t (&to)[4], const std::array<int, 4>& extents) {
            int64_t step = 1;
            for (int i = 3; i >= 0; i--) {
                to[i] = extents[i] == 1 ? 0 : step;
                step *= extents[i];
            }
        };
        term(a.bias_strides, p.bias_extents);
        term(a.mask_strides, p.mask_extents);
        std::copy(p.bias_extents.begin(), p.bias_extents.end(), a.bias_extents);
        a.bias_reach = p.bias_reach;
        if (p.bias_reach >= 0) {
            for (int64_t& stride : a.bias_strides) stride *= 2 * p.bias_reach + 1;
            set_distances(a, p);
        }
        put(a.query, p.query, storage);
        put(a.key, p.key, storage);
        put(a.value, p.value, storage);
        put(a.d_output, p.d_output, storage);
        put(a.bias, p.bias);
        put(a.sink, p.sink);
        put(a.d_log_sum_exp, p.d_log_sum_exp);
        const auto floats = [&](const std::vector<float>& x) { return x.empty() ? nullptr : device(x); };
        const auto ints = [&](const std::vector<int>& x) { return x.empty() ? nullptr : device(x); };
        a.mask = floats(p.mask);
        a.alibi_slopes = floats(p.slopes);
        a.query_segments = ints(p.query_segments);
        a.key_segments = ints(p.key_segments);
        a.key_lengths = ints(p.key_lengths);
        a.query_sequences = ints(p.query_sequences);
        a.key_sequences = ints(p.key_sequences);
        a.sequences = int(p.query_sequences.size()) - 1;
        a.seed = p.seed;
        a.batch = p.batch, a.heads = p.heads, a.key_heads = p.key_heads, a.queries = p.queries, a.keys = p.keys;
        a.head_dim = p.dim, a.value_dim = p.value_dim, a.window_left = p.left, a.window_right = p.right;
        a.bottom_right = p.bottom_right, a.past_keys = p.past_keys, a.planes = p.ring.planes, a.mixed = p.ring.mixed;
        a.euclidean = p.similarity == Similarity::EUCLIDEAN;
        a.pair_storage = a.value_storage = int(storage);
        a.scale = p.scale, a.softcap = p.softcap, a.dropout = p.dropout;
        a.kept = p.dropout == 1 ? 0 : 1 / (1 - p.dropout);
        return a;
    }

    // Those of all pairs that see each other, and some more.
    static void set_distances(AttentionSeriesParams& a, const SeriesProblem& p) {
        double least = INFINITY, greatest = -INFINITY, ahead;
        for (int b = 0; b < p.batch; b++) {
            for (int i = 0; i < p.queries; i++) {
                for (int j = 0; j < p.keys; j++) {
                    if (p.visible(b, 0, i, j, ahead)) {
                        least = std::min(least, ahead), greatest = std::max(greatest, ahead);
                    }
                }
            }
        }
        a.first_distance = least > greatest ? 0 : int(least) - 2;
        a.distances = least > greatest ? 0 : int(greatest - least) + 4;
    }

    // Query or key on the unit sphere, in floats.
    AttentionNormalizeParams normalize(const SeriesProblem& p, const void* (&x)[16], int64_t rows, Storage storage) {
        AttentionNormalizeParams n{};
        std::copy(std::begin(x), std::end(x), n.x);
        n.rows = rows, n.width = p.dim, n.planes = p.ring.planes, n.mixed = p.ring.mixed, n.storage = int(storage);
        const size_t floats = size_t(p.ring.planes) * rows;
        n.y = device(std::vector<float>(floats * p.dim, NAN_F));
        n.inverse = device(std::vector<float>(floats, NAN_F));
        n.d_y = device(std::vector<float>(floats * p.dim, NAN_F));
        run("attention_series_normalize", unsigned((rows + 7) / 8), THREADS, 0, n,
            {{n.y, floats * p.dim}, {n.inverse, floats}});
        for (int k = 0; k < p.ring.planes; k++) {
            x[k] = n.y + k * rows * p.dim;
        }
        return n;
    }

    void check(SeriesProblem p, Storage storage = Storage::F32, bool every = false) {
        for (Planes* planes : {&p.query, &p.key, &p.value, &p.d_output}) {
            for (std::vector<float>& values : *planes) {
                for (float& x : values) {
                    x = round_to(storage, x);
                }
            }
        }
        const SeriesSolution exact = solve(p);
        for (const Cut& cut : cuts(p, every)) {
            check(p, exact, storage, cut);
            memory.clear();
        }
    }

    void check(const SeriesProblem& p, const SeriesSolution& exact, Storage storage, const Cut& cut) {
        const int planes = p.ring.planes;
        AttentionSeriesParams a = parameters(p, storage);
        a.depth = cut.depth;
        a.columns = cut.columns;
        const auto tiles = [](int64_t count, int64_t of) { return (count + of - 1) / of; };
        const int64_t matrices = int64_t(p.batch) * p.heads, rows = matrices * p.queries;
        const int64_t key_rows = int64_t(p.batch) * p.key_heads * p.keys;
        const size_t shared = cut.shared(p, cut.columns);
        Result d_query{}, d_key{}, d_value{};
        Storage pairs = storage;
        AttentionNormalizeParams query_sphere{}, key_sphere{};
        const bool cosine = p.similarity == Similarity::COSINE;
        if (cosine) {
            query_sphere = normalize(p, a.query, rows, storage);
            key_sphere = normalize(p, a.key, key_rows, storage);
            pairs = Storage::F32;
            a.pair_storage = 0;
        }

        const Result output = result(a.output, planes, rows * p.value_dim, storage);
        const Result unrounded = result(a.exact_output, planes, rows * p.value_dim, Storage::F32);
        const Result lse = result(a.log_sum_exp, planes, rows, Storage::F32);
        float* parts[16];  // of the log-sum-exp
        const Result normalizers = result(parts, 2, rows, Storage::F32);
        a.maximum = parts[0], a.sum = parts[1];
        run_all("attention_series_forward" + cut.suffix,
                matrices * tiles(p.queries, cut.tile) * tiles(p.value_dim, cut.columns), shared, a,
                {output, unrounded, lse, normalizers}, cut.threads);
        const bool wide = storage == Storage::F32;
        const double tolerance = wide ? 2e-5 : storage == Storage::BF16 ? 0x1p-7 : 0x1p-9;
        const std::string where = p.text() + " " + name_of(storage) + cut.suffix;
        expect(output, exact.output, tolerance, "output of " + where);
        expect(unrounded, exact.output, 2e-5, "exact output of " + where);
        expect(lse, exact.log_sum_exp, 1e-5, "log-sum-exp of " + where);
        if (planes == 1) {  // the same as the forward pass leaves
            a.asked = p.queries;
            run_all("attention_series_normalizers", matrices * tiles(p.queries, 32), Cut{"", 32, cut.depth, 0}.shared(p, 0), a,
                    {normalizers});
        }

        a.delta = device(std::vector<float>(planes * rows, NAN_F));
        const Output delta{a.delta, size_t(planes * rows)};
        run("attention_series_delta", unsigned(tiles(rows, 8)), THREADS, 0, a, {delta});
        if (cosine) {
            d_query = {{}, size_t(rows * p.dim), pairs}, d_key = {{}, size_t(key_rows * p.dim), pairs};
            for (int k = 0; k < planes; k++) {
                a.d_query[k] = query_sphere.d_y + k * rows * p.dim;
                a.d_key[k] = key_sphere.d_y + k * key_rows * p.dim;
                d_query.outputs.push_back({static_cast<float*>(a.d_query[k]), d_query.count});
                d_key.outputs.push_back({static_cast<float*>(a.d_key[k]), d_key.count});
            }
        } else {
            d_query = result(a.d_query, planes, rows * p.dim, storage);
            d_key = result(a.d_key, planes, key_rows * p.dim, storage);
        }
        d_value = result(a.d_value, planes, key_rows * p.value_dim, storage);
        run_all("attention_series_rows" + cut.suffix, matrices * tiles(p.queries, cut.tile) * tiles(p.dim, cut.columns), shared, a,
                {d_query}, cut.threads);
        run_all("attention_series_columns" + cut.suffix,
                p.batch * p.key_heads * tiles(p.keys, cut.tile) * (tiles(p.dim, cut.columns) + tiles(p.value_dim, cut.columns)),
                shared, a, {d_key, d_value}, cut.threads);
        if (cosine) {
            d_query = result(query_sphere.d_x, planes, rows * p.dim, storage);
            d_key = result(key_sphere.d_x, planes, key_rows * p.dim, storage);
            // It overwrites what it reads, so it runs but once.
            ASSERT_EQ(launch("attention_series_normalize_backward", unsigned(tiles(rows, 8)), THREADS, 0, query_sphere), "");
            ASSERT_EQ(launch("attention_series_normalize_backward", unsigned(tiles(key_rows, 8)), THREADS, 0, key_sphere), "");
        }
        const double backward = wide ? 5e-5 : 4 * tolerance;
        expect(d_query, exact.d_query, backward, "dQuery of " + where);
        expect(d_key, exact.d_key, backward, "dKey of " + where);
        expect(d_value, exact.d_value, backward, "dValue of " + where);
        if (!p.bias[0].empty()) {
            const auto& e = p.bias_extents;
            const Result d_bias = result(a.d_bias, planes, p.bias[0].size(), Storage::F32);
            // Its sums are as large as a tile of scores; a card has 99 KB for a block.
            Cut narrow = cut;
            while (narrow.shared(p, cut.tile + 4) > 99 << 10) narrow.depth /= 2;
            a.depth = narrow.depth;
            if (p.bias_reach < 0) {
                run_all("attention_series_bias" + cut.suffix, e[0] * e[1] * tiles(e[2], cut.tile) * tiles(e[3], cut.tile),
                        narrow.shared(p, cut.tile + 4), a, {d_bias}, cut.threads);
            } else {
                const size_t sums = size_t(planes) * matrices * a.distances;
                a.distance_sums = device(std::vector<float>(sums, NAN_F));
                run_all("attention_series_distances" + cut.suffix, matrices * tiles(a.distances, cut.tile),
                        narrow.shared(p, cut.tile + 4), a, {{{{a.distance_sums, sums}}, sums, Storage::F32}}, cut.threads);
                run_all("attention_series_distance_bias", e[0] * e[1] * (2 * p.bias_reach + 1), 0, a, {d_bias});
            }
            a.depth = cut.depth;
            expect(d_bias, exact.d_bias, backward, "dBias of " + where);
        }
        if (!p.sink[0].empty()) {
            const Result d_sink = result(a.d_sink, planes, p.heads, Storage::F32);
            run_all("attention_series_sink", p.heads, 0, a, {d_sink}, 128);
            expect(d_sink, exact.d_sink, backward, "dSink of " + where);
        }
    }

    std::vector<float> uniform(size_t count) {
        std::vector<float> values = normal(count);
        for (float& x : values) {
            x = std::erf(x);
        }
        return values;
    }

    SeriesProblem with_inputs(SeriesProblem p) {
        const size_t rows = size_t(p.batch) * p.heads * p.queries, key_rows = size_t(p.batch) * p.key_heads * p.keys;
        for (int k = 0; k < p.ring.planes; k++) {
            p.query.push_back(uniform(rows * p.dim));
            p.key.push_back(uniform(key_rows * p.dim));
            p.value.push_back(uniform(key_rows * p.value_dim));
            p.d_output.push_back(uniform(rows * p.value_dim));
            p.d_log_sum_exp.push_back(uniform(rows));
        }
        p.bias.resize(p.ring.planes);
        p.sink.resize(p.ring.planes);
        return p;
    }
    SeriesProblem with_bias(SeriesProblem p, std::array<int, 4> extents) {
        p.bias_extents = extents;
        for (auto& plane : p.bias) {
            plane = uniform(size_t(extents[0]) * extents[1] * extents[2] * extents[3]);
        }
        return p;
    }
    SeriesProblem with_relative_bias(SeriesProblem p, int batch, int heads, int reach) {
        p.bias_reach = reach;
        p.bias_extents = {batch, heads, 1, 1};
        for (auto& plane : p.bias) {
            plane = uniform(size_t(batch) * heads * (2 * reach + 1));
        }
        return p;
    }
    SeriesProblem with_sink(SeriesProblem p) {
        for (auto& plane : p.sink) {
            plane = uniform(p.heads);
        }
        return p;
    }
    // Of which every third entry hides.
    SeriesProblem with_mask(SeriesProblem p, std::array<int, 4> extents) {
        p.mask_extents = extents;
        p.mask = uniform(size_t(extents[0]) * extents[1] * extents[2] * extents[3]);
        for (size_t i = 0; i < p.mask.size(); i += 3) {
            p.mask[i] = -INF_F;
        }
        return p;
    }
    // Everything at once.
    SeriesProblem with_all(SeriesProblem p) {
        p.softcap = 1.5f;
        p.dropout = 0.3f;
        p.seed = 42;
        p.slopes = uniform(p.heads);
        p.right = 2;
        p.past_keys = 3;
        p.key_lengths.assign(p.batch, p.keys - 1);
        return with_mask(with_sink(with_bias(p, {1, p.heads, p.queries, p.keys})), {p.batch, 1, 1, p.keys});
    }
};

TEST_F(AttentionSeries, NumbersOfAwkwardShapes) {
    const int shapes[][4] = {{1, 1, 1, 1}, {5, 3, 3, 2}, {17, 33, 13, 31}, {34, 65, 6, 5}};
    for (const auto& s : shapes) {
        check(with_inputs({.batch = 2, .heads = 2, .key_heads = 2, .queries = s[0], .keys = s[1], .dim = s[2], .value_dim = s[3]}),
              Storage::F32, true);
    }
}

TEST_F(AttentionSeries, StoredInSixteenBits) {
    for (Storage storage : {Storage::BF16, Storage::F16}) {
        check(with_all(with_inputs({.heads = 2, .key_heads = 1, .queries = 9, .keys = 14, .dim = 8, .value_dim = 5})), storage);
        check(with_inputs({.ring = {false, 2}, .queries = 5, .keys = 6, .dim = 8, .value_dim = 4,
                           .similarity = Similarity::COSINE}), storage);
    }
}

TEST_F(AttentionSeries, DerivativesOfEveryOrder) {
    for (const TestRing& ring : {TestRing{false, 2}, {false, 3}, {true, 4}, {false, 9}, {true, 8}}) {
        check(with_inputs({.ring = ring, .queries = 5, .keys = 6, .dim = 3, .value_dim = 2}));
        check(with_all(with_inputs({.ring = ring, .heads = 2, .queries = 3, .keys = 5, .dim = 2, .value_dim = 3})));
    }
}

TEST_F(AttentionSeries, SixteenPlanes) {
    check(with_all(with_inputs({.ring = {false, 16}, .queries = 2, .keys = 3, .dim = 2, .value_dim = 1})));
    check(with_inputs({.ring = {true, 16}, .queries = 2, .keys = 3, .dim = 2, .value_dim = 1}));
}

TEST_F(AttentionSeries, PlanesThatAreNotThereAreZero) {
    SeriesProblem p = with_sink(with_bias(with_inputs({.ring = {false, 3}, .queries = 4, .keys = 5, .dim = 3, .value_dim = 2}),
                                          {1, 1, 4, 5}));
    p.query[1].clear(), p.key[2].clear(), p.value[1].clear(), p.d_output[0].clear(), p.bias[2].clear(), p.sink[1].clear();
    p.d_log_sum_exp[1].clear();
    for (Similarity similarity : {Similarity::DOT, Similarity::COSINE, Similarity::EUCLIDEAN}) {
        p.similarity = similarity;
        check(p);
    }
}

TEST_F(AttentionSeries, Similarities) {
    for (Similarity similarity : {Similarity::COSINE, Similarity::EUCLIDEAN}) {
        for (const TestRing& ring : {TestRing{false, 1}, {false, 3}, {true, 4}}) {
            check(with_all(with_inputs({.ring = ring, .batch = 2, .heads = 2, .queries = 4, .keys = 6, .dim = 5, .value_dim = 2,
                                        .similarity = similarity})));
        }
        check(with_inputs({.queries = 35, .keys = 34, .dim = 9, .value_dim = 3, .similarity = similarity}));
    }
}

TEST_F(AttentionSeries, CosineOfZeroTinyAndHugeRows) {
    SeriesProblem p = with_inputs({.queries = 4, .keys = 4, .dim = 2, .value_dim = 2, .similarity = Similarity::COSINE});
    const float sizes[] = {0, 0x1p-80f, 0x1p80f, 1};
    for (int i = 0; i < 4; i++) {
        for (int d = 0; d < 2; d++) {
            p.query[0][2 * i + d] *= sizes[i];
            p.key[0][2 * i + d] *= sizes[3 - i];
        }
    }
    p.d_output[0].assign(8, 0);  // gradients of tiny rows are beyond floats
    p.d_log_sum_exp[0].assign(4, 0);
    check(p);
}

TEST_F(AttentionSeries, BiasBroadcastOverAnyAxis) {
    for (const std::array<int, 4>& extents : {std::array{2, 2, 33, 35}, {1, 2, 33, 35}, {2, 1, 1, 35}, {1, 1, 33, 1}, {1, 1, 1, 1}}) {
        SeriesProblem p = with_inputs({.batch = 2, .heads = 2, .queries = 33, .keys = 35, .dim = 2, .value_dim = 2});
        p.right = 3;
        check(with_bias(p, extents));
    }
    check(with_bias(with_inputs({.ring = {false, 4}, .queries = 17, .keys = 18, .dim = 2, .value_dim = 2}), {1, 1, 1, 18}));
}

TEST_F(AttentionSeries, RelativeBias) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [queries, keys] : {std::pair{3, 70}, {33, 35}, {70, 3}}) {
            SeriesProblem p = with_inputs({.batch = 2, .heads = 2, .queries = queries, .keys = keys, .dim = 2, .value_dim = 2,
                                           .bottom_right = bottom_right});
            p.past_keys = 4;
            check(with_relative_bias(p, 1, 2, 5));
            p.right = 0;
            p.key_lengths = {keys, keys / 2};
            check(with_relative_bias(p, 2, 1, 50));
            p.left = 6;
            check(with_relative_bias(p, 1, 1, 0));
        }
    }
    check(with_relative_bias(with_inputs({.ring = {false, 4}, .queries = 17, .keys = 18, .dim = 2, .value_dim = 2}), 1, 1, 3));
    check(with_relative_bias(with_all(with_inputs({.ring = {true, 8}, .heads = 2, .queries = 5, .keys = 18, .dim = 2,
                                                      .value_dim = 2})), 1, 2, 7));
}

TEST_F(AttentionSeries, MasksByPosition) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [left, right] : {std::pair{-1, 0}, {2, 0}, {5, 3}, {20, -1}, {0x7FFFFFFF, 0x7FFFFFFF}}) {
            for (const auto& [queries, keys] : {std::pair{19, 40}, {40, 19}}) {
                SeriesProblem p = with_inputs({.queries = queries, .keys = keys, .dim = 2, .value_dim = 2, .left = left, .right = right,
                                               .bottom_right = bottom_right});
                p.past_keys = 4;
                p.slopes = {0.1f};
                check(p);
            }
        }
    }
}

TEST_F(AttentionSeries, SegmentsLengthsAndGroupsInBothLayouts) {
    for (bool rows_first : {false, true}) {
        SeriesProblem p = with_inputs({.batch = 3, .heads = 4, .key_heads = 2, .queries = 11, .keys = 37, .dim = 4, .value_dim = 3,
                                       .right = 0, .bottom_right = true, .rows_first = rows_first});
        p.key_lengths = {37, 7, -2};
        for (int i = 0; i < 3 * 11; i++) p.query_segments.push_back(i % 11 / 5);
        for (int j = 0; j < 3 * 37; j++) p.key_segments.push_back(j % 37 / 30);
        check(p);
    }
}

TEST_F(AttentionSeries, PackedSequences) {
    for (bool bottom_right : {false, true}) {
        for (int right : {-1, 0}) {
            SeriesProblem p = with_inputs({.heads = 2, .key_heads = 1, .queries = 70, .keys = 75, .dim = 2, .value_dim = 2, .right = right,
                                           .bottom_right = bottom_right});
            p.query_sequences = {2, 7, 7, 45, 46, 68};  // rows before and behind, and an empty one
            p.key_sequences = {0, 9, 12, 12, 50, 99};
            p.key_lengths = {60};
            p.dropout = 0.2f;
            p.slopes = {0.1f, 0.2f};
            check(with_relative_bias(with_sink(p), 1, 2, right < 0 ? 6 : 100));
        }
    }
    SeriesProblem none = with_inputs({.queries = 3, .keys = 4, .dim = 2, .value_dim = 2});
    none.query_sequences = none.key_sequences = {1};
    check(none);
}

TEST_F(AttentionSeries, WithoutKeysIsZero) {
    check(with_sink(with_inputs({.ring = {false, 3}, .queries = 3, .keys = 0, .dim = 4, .value_dim = 5})));
}

TEST_F(AttentionSeries, WhatIsHiddenMayBeNaN) {
    for (Similarity similarity : {Similarity::DOT, Similarity::COSINE, Similarity::EUCLIDEAN}) {
        SeriesProblem p = with_inputs({.ring = {false, 2}, .queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .right = 0,
                                       .similarity = similarity});
        p = with_bias(p, {1, 1, 20, 24});
        p.key_lengths = {18};
        p.mask_extents = {1, 1, 1, 24};
        p.mask.assign(24, 0);
        p.mask[3] = -INF_F;
        for (int k = 0; k < 2; k++) {
            for (int d = 0; d < 4; d++) {
                p.key[k][3 * 4 + d] = p.value[k][3 * 4 + d] = NAN_F;
                p.key[k][20 * 4 + d] = p.value[k][20 * 4 + d] = INF_F;
            }
            for (int i = 0; i < 20; i++) {
                p.bias[k][i * 24 + 20] = p.bias[k][i * 24 + 3] = NAN_F;
            }
        }
        check(p);
        p.value[0][10 * 4 + 1] = NAN_F;  // seen by queries 10 and later
        p.key[0][12 * 4] = NAN_F;
        check(p);
    }
}

// Query 0 sees one key whose score is 200 below that of the other: exp of that is no float, but its NaN counts.
TEST_F(AttentionSeries, AVisibleNaNCountsHoweverSmallItsWeight) {
    SeriesProblem p = with_inputs({.queries = 2, .keys = 3, .dim = 1, .value_dim = 1, .right = 1, .scale = 1});
    p.query[0] = {1, 1};
    p.key[0] = {200, 0, 0};
    p.value[0] = {1, NAN_F, 2};
    check(p);
}

// Minus infinity of the bias does not hide: it has weight 0 beside others and beside a sink, and alone there is nothing in the
// sum, as where no key is seen.
TEST_F(AttentionSeries, ScoresOfMinusInfinity) {
    for (const TestRing& ring : {TestRing{false, 1}, {false, 3}}) {
        SeriesProblem p =
            with_bias(with_inputs({.ring = ring, .queries = 2, .keys = 40, .dim = 2, .value_dim = 2}), {1, 1, 2, 40});
        std::fill(p.bias[0].begin(), p.bias[0].begin() + 35, -INF_F);
        std::fill(p.bias[0].begin() + 40, p.bias[0].end(), -INF_F);
        check(p);
        check(with_sink(p));
    }
}

// A sink is in the denominator of a row that sees no key, whatever that row has in dO.
TEST_F(AttentionSeries, ASinkWithoutKeys) {
    for (const TestRing& ring : {TestRing{false, 1}, {false, 3}, {true, 8}}) {
        SeriesProblem p = with_sink(with_inputs({.ring = ring, .batch = 2, .heads = 2, .queries = 5, .keys = 6, .dim = 3,
                                                 .value_dim = 2}));
        p.key_lengths = {6, 0};
        p.mask_extents = {1, 1, 5, 1};
        p.mask = {0, -INF_F, 0, 0, -INF_F};
        for (size_t i = 0; i < p.d_output[0].size(); i++) {
            const size_t query = i / 2 % 5;
            if (i >= p.d_output[0].size() / 2 || query == 1 || query == 4) p.d_output[0][i] = NAN_F;
        }
        check(p);
    }
}

// Their sum is no float, their mean is one.
TEST_F(AttentionSeries, MeansOfHugeValues) {
    for (const TestRing& ring : {TestRing{false, 1}, {false, 2}}) {
        SeriesProblem p = with_inputs({.ring = ring, .queries = 3, .keys = 40, .dim = 2, .value_dim = 2});
        p.dropout = 0.3f;
        for (float& x : p.value[0]) x = 1e38f * (1 + 0.5f * x);
        for (float& x : p.d_output[0]) x *= 1e-38f;
        p.d_output.back().assign(p.d_output[0].size(), 0);
        check(p);
    }
}

TEST_F(AttentionSeries, MinusZeroStaysMinusZero) {
    SeriesProblem p = with_inputs({.queries = 3, .keys = 3, .dim = 2, .value_dim = 2, .right = 0});
    p.value[0] = {-0.0f, 0, -0.0f, -0.0f, -5, -0.0f};
    p.key_lengths = {2};
    AttentionSeriesParams a = parameters(p, Storage::F32);
    a.depth = a.columns = 4;
    const Result output = result(a.output, 1, 6, Storage::F32);
    run_all("attention_series_forward_one", 1, Cut{"", 32, 4, 4}.shared(p, 4), a, {output});
    const std::vector<float> o = host(output.outputs[0].address, 6);
    const bool negative[] = {true, false, true, false, true, false};
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(o[i], 0) << i;
        EXPECT_EQ(std::signbit(o[i]), negative[i]) << i;
    }
}

// Where one key has all the weight, D and dP cancel: D must not be of an output that was rounded to 16 bits.
TEST_F(AttentionSeries, OneKeyInSixteenBits) {
    for (Storage storage : {Storage::BF16, Storage::F16}) {
        SeriesProblem p = with_inputs({.queries = 4, .keys = 1, .dim = 4, .value_dim = 33});
        for (float& x : p.value[0]) x *= 64;
        for (float dropout : {0.f, 0.9f}) {
            p.dropout = dropout;
            check(p, storage);
        }
    }
}

// Each probability counts, however large the scores are; all keys are equal, so that those of a row must add up to 1.
TEST_F(AttentionSeries, ProbabilitiesAddUpAtAnyMagnitude) {
    for (float size : {30.f, 1000.f}) {
        for (const TestRing& ring : {TestRing{false, 1}, {false, 2}}) {
            SeriesProblem p = with_inputs({.ring = ring, .queries = 3, .keys = 70, .dim = 4, .value_dim = 2});
            for (auto* planes : {&p.query, &p.key}) (*planes)[0].assign((*planes)[0].size(), size);
            if (ring.planes > 1) {
                p.query[1].clear(), p.key[1].clear();
            }
            check(p);
        }
    }
}

TEST_F(AttentionSeries, LargeScoresDoNotOverflow) {
    for (float scale : {100.f, -100.f}) {
        check(with_sink(with_inputs({.queries = 5, .keys = 40, .dim = 4, .value_dim = 4, .scale = scale})));
    }
}

// All that a query sees may be masked with one huge number, beside which the log of their count has no digits. Scores are
// multiples of the float's spacing there, or lost in float64 as well, so that what is right does not hang on rounding.
TEST_F(AttentionSeries, HugeMasksBiasesAndSinks) {
    for (const auto& [huge, scale] : {std::pair{-65504.f, 0.5f}, {-1e9f, 4096.f}, {1e9f, 4096.f}, {-1e30f, 0.5f},
                                      {-3.402823466e38f, 0.5f}}) {
        for (const TestRing& ring : {TestRing{false, 1}, {false, 3}}) {
            if (ring.planes > 1 && scale > 1) {
                continue;  // derivatives as large as that lose digits anyhow
            }
            SeriesProblem p = with_inputs({.ring = ring, .queries = 6, .keys = 35, .dim = 2, .value_dim = 2, .scale = scale});
            for (auto* planes : {&p.query, &p.key}) {
                for (float& x : (*planes)[0]) x = std::rint(x * 8) / 8;
            }
            std::vector<float> terms(6 * 35, huge);  // of rows 0 and 4 all
            terms[35 + 33] = 0;
            for (int j = 0; j < 35; j++) {
                terms[2 * 35 + j] = j % 3 ? -INF_F : huge;
                terms[3 * 35 + j] = j % 2 ? 0 : huge;
                terms[5 * 35 + j] = j < 32 ? -INF_F : huge;
            }
            SeriesProblem masked = p;
            masked.mask_extents = {1, 1, 6, 35};
            masked.mask = terms;
            check(masked);
            masked = with_sink(masked);
            masked.sink[0] = {huge};
            check(masked);
            SeriesProblem biased = with_bias(p, {1, 1, 6, 35});
            biased.bias[0] = terms;
            check(biased);
        }
    }
}

// Every key is far from every query, by nearly as much.
TEST_F(AttentionSeries, SteepSlopes) {
    SeriesProblem p = with_inputs({.queries = 3, .keys = 40, .dim = 2, .value_dim = 2, .scale = 8});
    p.past_keys = 1 << 23;
    p.slopes = {0x1p-3f};
    for (auto* planes : {&p.query, &p.key}) {
        for (float& x : (*planes)[0]) x = std::rint(x * 8) / 8;
    }
    check(p);
}

TEST_F(AttentionSeries, WeightsAtEveryStage) {
    for (Similarity similarity : {Similarity::DOT, Similarity::EUCLIDEAN}) {
        SeriesProblem p = with_all(with_inputs({.batch = 2, .heads = 2, .key_heads = 1, .queries = 37, .keys = 35, .dim = 3,
                                                .value_dim = 1, .similarity = similarity}));
        const SeriesSolution exact = solve(p);
        const int first = 2, asked = 34;
        for (int stage = 0; stage < 4; stage++) {
            AttentionSeriesParams a = parameters(p, Storage::F32);
            a.depth = 4, a.first_query = first, a.asked = asked, a.stage = stage;
            float* parts[16];
            const Result normalizers = result(parts, 2, exact.log_sum_exp.size(), Storage::F32);
            a.maximum = parts[0], a.sum = parts[1];
            run_all("attention_series_normalizers", p.batch * p.heads * 2, Cut{"", 32, 4, 0}.shared(p, 0), a, {normalizers});
            std::vector<Series> expected;
            for (int m = 0; m < p.batch * p.heads; m++) {
                for (int i = first; i < first + asked; i++) {
                    for (int j = 0; j < p.keys; j++) {
                        expected.push_back({exact.stages[stage][(size_t(m) * p.queries + i) * p.keys + j]});
                    }
                }
            }
            float* plane[16];
            const Result weights = result(plane, 1, expected.size(), Storage::F32);
            a.weights = plane[0];
            run_all("attention_series_weights", p.batch * p.heads * 2 * 2, Cut{"", 32, 4, 0}.shared(p, 0), a, {weights});
            expect(weights, expected, 1e-5, "stage " + std::to_string(stage));
        }
        memory.clear();
    }
}
