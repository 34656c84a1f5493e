// SPDX-License-Identifier: Apache-2.0
#include "fused_attention.h"

namespace {

// The relative error of a product of floats: 2^-21 in three TF32 products (the fourth is left out, and the low parts have 11
// bits), 2^-10 in one, 2^-7 of bf16.
double unit_of_products(const AttentionProblem& p) { return p.precision == 0 ? 0x1p-21 : p.precision == 1 ? 0x1p-10 : 0x1p-7; }

// The storage type as names of kernels have it.
std::string type_of(Storage storage, const AttentionProblem& p, int dim) {
    const char* const by[] = {"", "_by_tf32", "_by_bf16"};
    return name_of(storage) + std::string(storage == Storage::F32 && dim < 256 ? by[p.precision] : "");
}

// The relative error that rounding, products and exponentials may come to: of a product, none of 16-bit numbers; of a sum over
// keys; and of roundings to the storage type.
double relative_error(const AttentionProblem& p, const AttentionSolution& exact, Storage storage, int roundings) {
    const double unit = storage != Storage::F32 ? 0x1p-23 : unit_of_products(p);
    return unit * (2 * exact.largest_score + 4) + 0x1p-24 * (std::sqrt(double(p.keys)) + 8)
           + (storage == Storage::F32 ? 0 : roundings * unit_of(storage));
}

// As far from the solution as the sum of its terms' magnitudes allows.
std::vector<Expected> by_magnitude(const std::vector<Sum>& exact, double relative, double lost) {
    std::vector<Expected> expected;
    for (const auto& [value, size] : exact) expected.push_back({value, relative * size + lost});
    return expected;
}

// As far from it as `factor` times what naive loops are that round to the storage type, and the rounding of a result near 0.3.
std::vector<Expected> by_rounding(const std::vector<Sum>& exact, const std::vector<Sum>& naive, double factor, Storage storage) {
    double error = 0, rounding = 0;
    for (size_t i = 0; i < exact.size(); i++) {
        const double x = exact[i].value;
        if (std::isfinite(x)) {
            error = std::max(error, std::abs(naive[i].value - x));
            const float shifted = round_to(storage, round_to(storage, round_to(storage, float(x)) + 0.3f) - 0.3f);
            rounding = std::max(rounding, std::abs(double(shifted) - x));
        }
    }
    return by_magnitude(exact, 0, factor * error + 2 * rounding);
}

double magnitude(float x) { return std::abs(x); }
double magnitude(const Sum& x) { return std::abs(x.value); }

template <class T>
double largest(const std::vector<T>& values) {
    double result = 0;
    for (const T& x : values) {
        if (std::isfinite(magnitude(x))) result = std::max(result, magnitude(x));
    }
    return result;
}

}  // namespace

std::vector<FusedAttentionTest::Instance> FusedAttentionTest::instances(Pass pass, Storage storage) {
    const bool wide = storage != Storage::F32;
    std::vector<Instance> all = {{true, 16, 0, 16, 0}};
    if (!wide) all.push_back({true, 16, 0, 32, 0});
    if (pass != Pass::TANGENT) all.push_back({true, 32, 0, 16, 0});
    all.insert(all.end(), {{true, 32, 0, 32, 0}, {true, 64, 0, 32, 0}});
    switch (pass) {
        case Pass::FORWARD:
            all.insert(all.end(), {{false, 32, wide ? 128 : 64, 64, 0}, {false, 64, wide ? 128 : 64, wide ? 64 : 32, 0},
                                   {false, 128, wide ? 128 : 64, 32, 0}, {false, 256, 64, wide ? 32 : 16, 0}});
            break;
        case Pass::BACKWARD:
            all.insert(all.end(), {{false, 32, 64, 32, 32}, {false, 64, wide ? 128 : 64, 32, wide ? 16 : 32},
                                   {false, 128, 64, wide ? 32 : 16, wide ? 32 : 16}, {false, 256, wide ? 64 : 32, 16, 16}});
            break;
        case Pass::TANGENT:
            all.insert(all.end(), {{false, 32, 64, 32, 32}, {false, 64, 64, wide ? 32 : 16, wide ? 32 : 16},
                                   {false, 128, wide ? 64 : 32, 16, 16}, {false, 256, wide ? 32 : 16, 16, 16}});
    }
    return all;
}

std::vector<AttentionLaunch> FusedAttentionTest::launches(Pass pass, const Instance& instance, Storage storage,
                                                          const AttentionProblem& p) {
    const AttentionExtents extents{p.batch, p.heads, p.group, p.queries, p.keys};
    if (instance.whole) {
        const WholeKind& kind = pass == Pass::FORWARD ? FORWARD_WHOLE : pass == Pass::BACKWARD ? BACKWARD_WHOLE : TANGENT_WHOLE;
        const auto launch = whole_launch(kind, type_of(storage, p, instance.dim), instance.dim, instance.moving, extents);
        return launch ? std::vector{*launch} : std::vector<AttentionLaunch>{};
    }
    const auto tiled = [&](const TiledKind& kind) {
        const int moving = kind.rows_are_keys ? instance.moving_queries : instance.moving;
        return tiled_launch(kind, type_of(storage, p, instance.dim), instance.dim, instance.rows, moving, extents);
    };
    switch (pass) {
        case Pass::FORWARD: return {tiled(FORWARD)};
        case Pass::BACKWARD: return {tiled(BACKWARD_ROWS), tiled(BACKWARD_COLUMNS)};
        case Pass::TANGENT: return {tiled(JVP), tiled(TANGENT_ROWS), tiled(TANGENT_COLUMNS)};
    }
    return {};
}

FusedAttentionTest::OnDevice FusedAttentionTest::on_device(const AttentionProblem& p, Storage storage,
                                                           const AttentionSolution* exact) {
    OnDevice d{};
    AttentionParams& a = d.params;
    const auto put_strides = [&](int64_t& batch, int64_t& head, int64_t& row, int heads, int rows, int extent) {
        const auto s = strides(p, heads, rows, extent);
        batch = s[0], head = s[1], row = s[2];
    };
    put_strides(a.query_batch_stride, a.query_head_stride, a.query_row_stride, p.heads, p.queries, p.dim);
    put_strides(a.key_batch_stride, a.key_head_stride, a.key_row_stride, p.key_heads(), p.keys, p.dim);
    put_strides(a.value_batch_stride, a.value_head_stride, a.value_row_stride, p.key_heads(), p.keys, p.value_dim);
    put_strides(a.output_batch_stride, a.output_head_stride, a.output_row_stride, p.heads, p.queries, p.value_dim);
    a.batch = p.batch, a.heads = p.heads, a.group = p.group, a.queries = p.queries, a.keys = p.keys;
    a.head_dim = p.dim, a.value_dim = p.value_dim, a.window_left = p.left, a.window_right = p.right;
    a.bottom_right = p.bottom_right, a.past_keys = p.past, a.scale = p.factor();
    a.query_segments = device_or_null(p.query_segments);
    a.key_segments = device_or_null(p.key_segments);
    a.key_lengths = device_or_null(p.key_lengths);
    a.query = stored(p.query[0], storage);
    a.key = stored(p.key[0], storage);
    a.value = stored(p.value[0], storage);
    a.sink = device_or_null(p.sink[0]);
    a.d_output = stored(p.d_output[0], storage);
    a.d_log_sum_exp = device_or_null(p.d_log_sum_exp[0]);
    if (p.ring.planes > 1) {
        a.query_tangent = stored(p.query[1], storage);
        a.key_tangent = stored(p.key[1], storage);
        a.value_tangent = stored(p.value[1], storage);
        a.sink_tangent = device_or_null(p.sink[1]);
        if (!p.d_output[1].empty()) a.d_output_tangent = stored(p.d_output[1], storage);
        a.d_log_sum_exp_tangent = device_or_null(p.d_log_sum_exp[1]);
    }

    const size_t outputs = p.rows() * p.value_dim;
    std::vector<float> maximum(p.rows(), NAN_F), normalizer(p.rows(), NAN_F), sink_share(p.rows(), NAN_F), output(outputs, NAN_F);
    for (size_t i = 0; exact && i < p.rows(); i++) {
        const double log_sum_exp = exact->log_sum_exp[0][i].value;
        maximum[i] = float(exact->maximum[i]);
        const double log_sum = log_sum_exp - double(p.factor()) * maximum[i];
        normalizer[i] = float(storage == Storage::F32 ? std::exp(-log_sum) : log_sum / std::log(2));
        if (p.sinks) sink_share[i] = float(std::exp(p.sink[0][i / p.queries % p.heads] - log_sum_exp));
    }
    for (size_t i = 0; exact && i < outputs; i++) output[i] = float(exact->output[0][i].value);
    const auto put = [](auto& field, const Array& array) {
        field = array;
        return array;
    };
    d.maximum = put(a.maximum, stored(maximum));
    d.normalizer = put(a.normalizer, stored(normalizer));
    if (p.sinks) d.sink_share = put(a.sink_share, stored(sink_share));
    if (exact || storage != Storage::F32) d.exact_output = put(a.exact_output, stored(output));
    d.output = put(a.output, unwritten(outputs, storage));
    d.log_sum_exp = put(a.log_sum_exp, unwritten(p.rows()));
    d.delta = put(a.delta, unwritten(p.rows()));
    d.d_query = put(a.d_query, unwritten(p.query[0].size(), storage));
    d.d_key = put(a.d_key, unwritten(p.key[0].size(), storage));
    d.d_value = put(a.d_value, unwritten(p.value[0].size(), storage));
    d.d_sink = put(a.d_sink, unwritten(p.heads));
    d.output_tangent = put(a.output_tangent, unwritten(outputs, storage));
    d.log_sum_exp_tangent = put(a.log_sum_exp_tangent, unwritten(p.rows()));
    d.delta_tangent = put(a.delta_tangent, unwritten(p.rows()));
    d.fitted_delta = put(a.fitted_delta, unwritten(p.rows()));
    d.fitted_delta_tangent = put(a.fitted_delta_tangent, unwritten(p.rows()));
    return d;
}

void FusedAttentionTest::run_pass(Pass pass, const std::vector<AttentionLaunch>& launches, const OnDevice& d) {
    const bool whole = launches.size() == 1;
    std::vector<std::vector<Array>> results;
    switch (pass) {
        case Pass::FORWARD:
            results = {{d.output, d.log_sum_exp, d.maximum, d.normalizer, d.sink_share, d.exact_output}};
            break;
        case Pass::BACKWARD:
            results = whole ? std::vector<std::vector<Array>>{{d.d_query, d.d_key, d.d_value, d.delta}}
                            : std::vector<std::vector<Array>>{{d.d_query, d.delta}, {d.d_key, d.d_value}};
            break;
        case Pass::TANGENT:
            results = {{d.output_tangent, d.log_sum_exp_tangent, d.delta, d.delta_tangent},
                       {d.d_query, d.fitted_delta, d.fitted_delta_tangent},
                       {d.d_key, d.d_value}};
            if (whole) results = {{d.output_tangent, d.log_sum_exp_tangent, d.d_query, d.d_key, d.d_value}};
    }
    for (size_t i = 0; i < launches.size(); i++) {
        run(launches[i].kernel, {launches[i].blocks, launches[i].threads, launches[i].shared}, d.params, results[i]);
    }
}

FusedAttentionTest::Solved::Solved(const AttentionProblem& p, Storage type)
    : problem(rounded(p, type)), storage(type), exact(solve(problem)),
      naive(p.ring.planes == 1 && type != Storage::F32 ? solve(problem, type) : AttentionSolution{}) {}

std::vector<Expected> FusedAttentionTest::Solved::expected(SumPlanes AttentionSolution::*array, double factor) const {
    const std::vector<Sum>& sums = (exact.*array)[0];
    return storage == Storage::F32 ? by_magnitude(sums, relative_error(problem, exact, storage, 0), 0x1p-140)
                                   : by_rounding(sums, (naive.*array)[0], factor, storage);
}

FusedAttentionTest::OnDevice FusedAttentionTest::check(Pass pass, const Instance& instance, const Solved& solved) {
    const auto& [p, storage, exact, naive, d_query_error, d_key_error] = solved;
    memory.clear();
    const auto passes = launches(pass, instance, storage, p);
    if (passes.empty()) {
        return {};
    }
    SCOPED_TRACE(p.text() + " by " + passes[0].kernel);
    const OnDevice d = on_device(p, storage, pass == Pass::FORWARD ? nullptr : &exact);
    run_pass(pass, passes, d);

    switch (pass) {
        case Pass::FORWARD: check_forward(d, solved); break;
        case Pass::BACKWARD: check_backward(d, solved, p.sinks || !instance.whole); break;
        case Pass::TANGENT: check_tangent(d, solved, p.sinks && !instance.whole);
    }
    return d;
}

void FusedAttentionTest::check_forward(const OnDevice& d, const Solved& solved) {
    // A score errs in proportion to the magnitudes of its terms.
    const double error = unit_of_products(solved.problem) * (solved.exact.largest_score + 1);
    expect_close(values(d.output), solved.expected(&AttentionSolution::output, 2), "output");
    expect_close(values(d.log_sum_exp), by_magnitude(solved.exact.log_sum_exp[0], 0x1p-24, error), "log-sum-exp");
    check_state(d, solved, error);
}

void FusedAttentionTest::check_backward(const OnDevice& d, const Solved& solved, bool of_delta) {
    const auto& [p, storage, exact, naive, d_query_error, d_key_error] = solved;
    const bool given = d_query_error > 0;
    expect_close(values(d.d_query), given ? by_magnitude(exact.d_query[0], 0, d_query_error)
                                          : solved.expected(&AttentionSolution::d_query, 3), "dQuery");
    expect_close(values(d.d_key), given ? by_magnitude(exact.d_key[0], 0, d_key_error)
                                        : solved.expected(&AttentionSolution::d_key, 3), "dKey");
    expect_close(values(d.d_value), solved.expected(&AttentionSolution::d_value, 3), "dValue");
    if (of_delta) {
        const double rounding = p.precision != 0 ? unit_of_products(p) : storage == Storage::F32 ? 0 : unit_of(storage) / 2;
        const double error = p.value_dim * largest(p.d_output[0]) * largest(exact.output[0]) * (rounding + 0x1p-23) + 0x1p-23;
        const std::vector<float> delta = values(d.delta);
        std::vector<Expected> deltas = by_magnitude(exact.delta[0], 0, error);
        for (size_t i = 0; i < deltas.size(); i++) {
            if (std::isinf(exact.log_sum_exp[0][i].value)) deltas[i].value = delta[i];  // of no use, and may be NaN
        }
        expect_close(delta, deltas, "D");
    }
    if (p.sinks) {
        AttentionParams params = d.params;
        params.fitted_delta = params.fitted_delta_tangent = nullptr;
        expect_close(sink_gradient(d, params), solved.expected(&AttentionSolution::d_sink, 3), "dSink");
    }
}

void FusedAttentionTest::check_tangent(const OnDevice& d, const Solved& solved, bool of_sink) {
    const auto& [p, storage, exact, naive, d_query_error, d_key_error] = solved;
    // The four roundings: of outputs, weights, tangents of outputs, and the result. F16 also loses what is below 2^-25.
    const double relative = relative_error(p, exact, storage, 4);
    const double lost = storage == Storage::F16 ? 0x1p-25 * 16 * std::max(p.keys, p.queries) : 0x1p-120;
    expect_close(values(d.output_tangent), by_magnitude(exact.output[1], relative, lost), "output tangent");
    expect_close(values(d.log_sum_exp_tangent), by_magnitude(exact.log_sum_exp[1], relative, lost), "LSE tangent");
    const double own = d_query_error > 0 ? 0 : relative;
    expect_close(values(d.d_query), by_magnitude(exact.d_query[1], own, lost + d_query_error), "dQuery tangent");
    expect_close(values(d.d_key), by_magnitude(exact.d_key[1], own, lost + d_key_error), "dKey tangent");
    expect_close(values(d.d_value), by_magnitude(exact.d_value[1], relative, lost), "dValue tangent");
    if (of_sink) expect_close(sink_gradient(d, d.params), by_magnitude(exact.d_sink[1], relative, lost), "dSink tangent");
}

// From what the other kernels of the pass have left.
std::vector<float> FusedAttentionTest::sink_gradient(const OnDevice& d, const AttentionParams& params) {
    run("attention_sink", {params.heads}, params, {d.d_sink});
    return values(d.d_sink);
}

// Maximum and normalizer are the log-sum-exp in two parts, and the output before it was rounded rounds to it.
void FusedAttentionTest::check_state(const OnDevice& d, const Solved& solved, double error) {
    const auto& [p, storage, exact, naive, d_query_error, d_key_error] = solved;
    const std::vector<float> maximum = values(d.maximum), normalizer = values(d.normalizer);
    std::vector<float> log_sum_exp;
    std::vector<Expected> expected, shares;
    for (size_t i = 0; i < p.rows(); i++) {
        const double log_sum = storage == Storage::F32 ? -std::log(double(normalizer[i])) : normalizer[i] * std::log(2);
        log_sum_exp.push_back(float(double(p.factor()) * maximum[i] + log_sum));
        const Sum& log_sum_exp_of_row = exact.log_sum_exp[0][i];
        expected.push_back({log_sum_exp_of_row.value, 0x1p-24 * log_sum_exp_of_row.size + error});
        if (p.sinks) {
            shares.push_back({std::exp(p.sink[0][i / p.queries % p.heads] - expected[i].value), 2 * error});
            // Where the sink has all of a row, no key may have any of it: then the two parts may add up to infinity.
            if (float(shares[i].value) == 1 && log_sum_exp[i] == INFINITY) expected[i].value = INFINITY;
        }
    }
    expect_close(log_sum_exp, expected, "maximum and normalizer");
    if (p.sinks) expect_close(values(d.sink_share), shares, "share of the sink");
    if (storage != Storage::F32) {
        const std::vector<float> rounded = values(d.output), unrounded = values(d.exact_output);
        for (size_t i = 0; i < rounded.size(); i++) {
            ASSERT_TRUE(std::isnan(rounded[i]) || round_to(storage, unrounded[i]) == rounded[i]) << i;
        }
    }
}

void FusedAttentionTest::check_all(Pass pass, const AttentionProblem& p, const std::vector<Storage>& storages, bool every) {
    for (Storage storage : storages) {
        const Solved solved(p, storage);
        bool whole = false, tiled = false;
        for (const Instance& instance : instances(pass, storage)) {
            bool& done = instance.whole ? whole : tiled;
            if (std::max(p.dim, p.value_dim) <= instance.dim && (every || !done)) {
                check(pass, instance, solved);
                done = true;
            }
        }
    }
}
