// SPDX-License-Identifier: Apache-2.0
#include "series_attention.h"

namespace {

std::vector<Array> operator+(std::vector<Array> a, const std::vector<Array>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace

AttentionProblem SeriesAttentionTest::with_everything(AttentionProblem p) {
    p.softcap = 1.5f;
    p.dropout = 0.3f;
    p.seed = 42;
    for (int h = 0; h < p.heads; h++) p.slopes.push_back((h % 2 ? -0.3f : 0.3f) / float(h + 1));
    p.right = 2;
    p.past = 3;
    p.key_lengths.assign(p.batch, p.keys - 1);
    p.sinks = true;
    p.bias_extents = {1, p.heads, p.queries, p.keys};
    p.mask_extents = {p.batch, 1, 1, p.keys};
    return p;
}

void SeriesAttentionTest::check(const AttentionProblem& problem, Storage storage, bool every) {
    const AttentionProblem p = rounded(problem, storage);
    const int planes = p.ring.planes;
    std::vector<Tiling> tilings;  // with chunks and parts of few columns
    if (planes == 1) {
        tilings.push_back({"_one", 32, 8, 16});
        tilings.push_back({"_many", 16, 16, 16, 64});
    }
    if (planes <= 3 && (every || planes > 1)) tilings.push_back({"_few", 32, 4, 4});
    if (planes > 3 || every) tilings.push_back({"_many", 16, 8, 8});

    const AttentionSolution exact = solve(p);
    for (const Tiling& tiling : tilings) {
        SCOPED_TRACE(p.text() + " " + name_of(storage) + tiling.suffix);
        Sequence s{p, exact, storage, tiling, parameters(p, storage, tiling)};
        const double tolerance = storage == Storage::F32 ? 5e-5 : storage == Storage::BF16 ? 0x1p-5 : 0x1p-7;
        check_gradients(s, tolerance);
        if (p.has_bias()) check_bias(s, tolerance);
        if (p.sinks) check_sink(s, tolerance);
        memory.clear();
    }
}

void SeriesAttentionTest::check_forward(Sequence& s) {
    const auto& [p, exact, storage, tiling, unused] = s;
    AttentionSeriesParams& a = s.params;
    const int planes = p.ring.planes;
    const int64_t matrices = int64_t(p.batch) * p.heads;
    const auto output = results(a.output, planes, p.rows() * p.value_dim, storage);
    const auto unrounded = results(a.exact_output, planes, p.rows() * p.value_dim);
    const auto log_sum_exp = results(a.log_sum_exp, planes, p.rows());
    const Array maximum = unwritten(p.rows()), sum = unwritten(p.rows());
    a.maximum = maximum, a.sum = sum;
    run("attention_series_forward" + tiling.suffix,
        tiling.grid(p, matrices * tiles(p.queries, tiling.tile) * tiles(p.value_dim, tiling.columns), tiling.columns), a,
        output + unrounded + log_sum_exp + std::vector{maximum, sum});
    expect_planes(output, exact.output, storage == Storage::F32 ? 2e-5 : storage == Storage::BF16 ? 0x1p-7 : 0x1p-9, "output");
    expect_planes(unrounded, exact.output, 2e-5, "exact output");
    expect_planes(log_sum_exp, exact.log_sum_exp, 1e-5, "log-sum-exp");
    if (planes == 1) {  // the same as the forward pass leaves
        a.asked = p.queries;
        const Tiling normalizers{"", 32, tiling.depth, 0};
        run("attention_series_normalizers", normalizers.grid(p, matrices * tiles(p.queries, 32), 0), a, {maximum, sum});
    }
}

void SeriesAttentionTest::check_gradients(Sequence& s, double tolerance) {
    const auto& [p, exact, storage, tiling, unused] = s;
    AttentionSeriesParams& a = s.params;
    const int planes = p.ring.planes;
    const int64_t rows = p.rows(), key_rows = p.key_rows();
    const bool cosine = p.similarity == Similarity::COSINE;
    AttentionNormalizeParams query_sphere{}, key_sphere{};
    if (cosine) {
        query_sphere = normalize(p, a.query, rows, storage);
        key_sphere = normalize(p, a.key, key_rows, storage);
        a.pair_storage = int(Storage::F32);
    }
    check_forward(s);

    const Array delta = unwritten(planes * rows);
    a.delta = delta;
    run("attention_series_delta", {tiles(rows, 8)}, a, {delta});
    std::vector<Array> d_query, d_key;
    const auto d_value = results(a.d_value, planes, key_rows * p.value_dim, storage);
    if (cosine) {
        const auto on_sphere = [&](void* (&to)[16], float* d_y, int64_t count) {
            std::vector<Array> arrays;
            for (int k = 0; k < planes; k++) to[k] = arrays.emplace_back(Array{d_y + k * count, size_t(count)});
            return arrays;
        };
        d_query = on_sphere(a.d_query, query_sphere.d_y, rows * p.dim);
        d_key = on_sphere(a.d_key, key_sphere.d_y, key_rows * p.dim);
    } else {
        d_query = results(a.d_query, planes, rows * p.dim, storage);
        d_key = results(a.d_key, planes, key_rows * p.dim, storage);
    }
    const int64_t parts = tiles(p.dim, tiling.columns), value_parts = tiles(p.value_dim, tiling.columns);
    run("attention_series_rows" + tiling.suffix,
        tiling.grid(p, int64_t(p.batch) * p.heads * tiles(p.queries, tiling.tile) * parts, tiling.columns), a, d_query);
    if (key_rows > 0) {
        run("attention_series_columns" + tiling.suffix,
            tiling.grid(p, int64_t(p.batch) * p.key_heads() * tiles(p.keys, tiling.tile) * (parts + value_parts), tiling.columns), a,
            d_key + d_value);
    }
    if (cosine) {
        d_query = results(query_sphere.d_x, planes, rows * p.dim, storage);
        d_key = results(key_sphere.d_x, planes, key_rows * p.dim, storage);
        // It overwrites what it reads, so it runs but once.
        ASSERT_EQ(launch("attention_series_normalize_backward", {tiles(rows, 8)}, query_sphere), "");
        ASSERT_EQ(launch("attention_series_normalize_backward", {tiles(key_rows, 8)}, key_sphere), "");
    }
    expect_planes(d_query, exact.d_query, tolerance, "dQuery");
    expect_planes(d_key, exact.d_key, tolerance, "dKey");
    expect_planes(d_value, exact.d_value, tolerance, "dValue");
}

void SeriesAttentionTest::check_bias(Sequence& s, double tolerance) {
    const auto& [p, exact, storage, tiling, unused] = s;
    AttentionSeriesParams a = s.params;
    const int64_t matrices = int64_t(p.batch) * p.heads;
    const auto& e = p.bias_extents;
    const auto d_bias = results(a.d_bias, p.ring.planes, p.bias[0].size());
    // Its sums are as large as a tile of scores; a card has 99 KB for a block.
    Tiling narrow = tiling;
    const int sums = tiling.tile + 4;
    while (narrow.shared(p, sums) > 99 << 10) narrow.depth /= 2;
    a.depth = narrow.depth;
    if (p.bias_reach < 0) {
        run("attention_series_bias" + tiling.suffix,
            narrow.grid(p, int64_t(e[0]) * e[1] * tiles(e[2], tiling.tile) * tiles(e[3], tiling.tile), sums), a, d_bias);
    } else {
        const Array distance_sums = unwritten(p.ring.planes * matrices * a.distances);
        a.distance_sums = distance_sums;
        if (a.distances > 0) {
            run("attention_series_distances" + tiling.suffix, narrow.grid(p, matrices * tiles(a.distances, tiling.tile), sums), a,
                {distance_sums});
        }
        run("attention_series_distance_bias", {int64_t(e[0]) * e[1] * (2 * p.bias_reach + 1)}, a, d_bias);
    }
    expect_planes(d_bias, exact.d_bias, tolerance, "dBias");
}

void SeriesAttentionTest::check_sink(Sequence& s, double tolerance) {
    AttentionSeriesParams& a = s.params;
    const auto d_sink = results(a.d_sink, s.p.ring.planes, s.p.heads);
    run("attention_series_sink", {s.p.heads, 128}, a, d_sink);
    expect_planes(d_sink, s.exact.d_sink, tolerance, "dSink");
}

// Puts queries or keys on the unit sphere, in floats.
AttentionNormalizeParams SeriesAttentionTest::normalize(const AttentionProblem& p, const void* (&x)[16], int64_t rows,
                                                        Storage storage) {
    AttentionNormalizeParams n{};
    std::copy(std::begin(x), std::end(x), n.x);
    n.rows = rows, n.width = p.dim, n.planes = p.ring.planes, n.mixed = p.ring.mixed, n.storage = int(storage);
    const size_t count = size_t(p.ring.planes) * rows;
    const Array y = unwritten(count * p.dim), inverse = unwritten(count);
    n.y = y, n.inverse = inverse;
    n.d_y = unwritten(count * p.dim);
    run("attention_series_normalize", {tiles(rows, 8)}, n, {y, inverse});
    for (int k = 0; k < p.ring.planes; k++) x[k] = n.y + k * rows * p.dim;
    return n;
}

AttentionSeriesParams SeriesAttentionTest::parameters(const AttentionProblem& p, Storage storage, const Tiling& tiling) {
    AttentionSeriesParams a{};
    const auto put_strides = [&](int64_t (&to)[3], int heads, int rows, int extent) {
        const auto s = strides(p, heads, rows, extent);
        std::copy(s.begin(), s.end(), to);
    };
    put_strides(a.query_strides, p.heads, p.queries, p.dim);
    put_strides(a.key_strides, p.key_heads(), p.keys, p.dim);
    put_strides(a.value_strides, p.key_heads(), p.keys, p.value_dim);
    put_strides(a.output_strides, p.heads, p.queries, p.value_dim);
    const auto put_term = [](int64_t (&to)[4], const Extents& extents, int64_t step) {
        for (int i = 3; i >= 0; i--) {
            to[i] = extents[i] == 1 ? 0 : step;
            step *= extents[i];
        }
    };
    put_term(a.bias_strides, p.bias_extents, p.bias_reach < 0 ? 1 : 2 * p.bias_reach + 1);
    put_term(a.mask_strides, p.mask_extents, 1);
    std::copy(p.bias_extents.begin(), p.bias_extents.end(), a.bias_extents);
    a.bias_reach = p.bias_reach;
    put(a.query, p.query, storage);
    put(a.key, p.key, storage);
    put(a.value, p.value, storage);
    put(a.d_output, p.d_output, storage);
    put(a.bias, p.bias);
    put(a.sink, p.sink);
    put(a.d_log_sum_exp, p.d_log_sum_exp);
    a.mask = device_or_null(p.mask);
    a.alibi_slopes = device_or_null(p.slopes);
    a.query_segments = device_or_null(p.query_segments);
    a.key_segments = device_or_null(p.key_segments);
    a.key_lengths = device_or_null(p.key_lengths);
    a.query_sequences = device_or_null(p.query_sequences);
    a.key_sequences = device_or_null(p.key_sequences);
    a.sequences = int(p.query_sequences.size()) - 1;
    a.seed = p.seed;
    a.batch = p.batch, a.heads = p.heads, a.key_heads = p.key_heads(), a.queries = p.queries, a.keys = p.keys;
    a.head_dim = p.dim, a.value_dim = p.value_dim, a.window_left = p.left, a.window_right = p.right;
    a.bottom_right = p.bottom_right, a.past_keys = p.past, a.planes = p.ring.planes, a.mixed = p.ring.mixed;
    a.euclidean = p.similarity == Similarity::EUCLIDEAN;
    a.pair_storage = a.value_storage = int(storage);
    a.scale = p.factor(), a.softcap = p.softcap, a.dropout = p.dropout;
    a.kept = p.dropout == 1 ? 0 : 1 / (1 - p.dropout);
    a.depth = tiling.depth, a.columns = tiling.columns;

    // The distances of all pairs that see each other, and some more.
    double least = INFINITY, greatest = -INFINITY, ahead;
    for (int b = 0; b < p.batch && p.bias_reach >= 0; b++) {
        for (int i = 0; i < p.queries; i++) {
            for (int j = 0; j < p.keys; j++) {
                if (p.visible(b, 0, i, j, ahead)) least = std::min(least, ahead), greatest = std::max(greatest, ahead);
            }
        }
    }
    a.first_distance = least > greatest ? 0 : int(least) - 2;
    a.distances = least > greatest ? 0 : int(greatest - least) + 4;
    return a;
}

void SeriesAttentionTest::expect_planes(const std::vector<Array>& actual, const SumPlanes& exact, double tolerance,
                                        const std::string& what) {
    for (size_t k = 0; k < actual.size(); k++) {
        double scale = 1;
        for (const Sum& x : exact[k]) scale = std::isfinite(x.value) ? std::max(scale, std::abs(x.value)) : scale;
        ASSERT_EQ(actual[k].count, exact[k].size()) << what;
        expect_each(values(actual[k]), [&](size_t i) { return Expected{exact[k][i].value, tolerance * scale}; },
                    what + ", plane " + std::to_string(k));
    }
}
