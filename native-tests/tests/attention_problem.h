// An attention problem, its solution by naive loops, and how far from it a kernel may be.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "../cuda-on-cpu/tensor_cores.h"

// How elements are stored, and what rounding to it does.
enum class Storage { F32, BF16, F16 };

inline float round_to(Storage storage, float x) {
    switch (storage) {
        case Storage::BF16: return sim::from_bf16(sim::to_bf16(x));
        case Storage::F16: return sim::from_f16(sim::to_f16(x));
        default: return x;
    }
}
inline const char* name_of(Storage storage) {
    return storage == Storage::F32 ? "f32" : storage == Storage::BF16 ? "bf16" : "f16";
}

struct AttentionProblem {
    int batch = 1, heads = 1, group = 1, queries = 1, keys = 1, dim = 1, value_dim = 1;
    int left = -1, right = -1, past = 0;
    bool bottom_right = false, rows_first = false, tf32 = false, gradients = false;
    float scale = 0;  // 0: 1 / sqrt(dim)
    std::vector<int> query_segments, key_segments, key_lengths;
    std::vector<float> query, key, value, sink, d_output, d_log_sum_exp;

    std::string text() const {
        return "batch " + std::to_string(batch) + " heads " + std::to_string(heads) + " in groups of "
               + std::to_string(group) + " queries " + std::to_string(queries)
               + " keys " + std::to_string(keys) + " dims " + std::to_string(dim) + ", " + std::to_string(value_dim)
               + " window " + std::to_string(left) + ", " + std::to_string(right) + " past " + std::to_string(past)
               + (sink.empty() ? "" : " sink") + (bottom_right ? " bottom right" : "")
               + (rows_first ? " rows first" : "") + (tf32 ? " tf32" : "");
    }
    size_t matrices() const { return size_t(batch) * heads; }
    int key_heads() const { return heads / group; }
    size_t key_matrices() const { return size_t(batch) * key_heads(); }
    float factor() const { return scale == 0 ? 1 / std::sqrt(float(dim)) : scale; }

    // Element (row, d) of a [batch, heads, rows, dim] or [batch, rows, heads, dim] array: of queries, and of the keys that
    // head h reads.
    size_t at(int b, int h, int row, int d, int extent) const { return at(b, h, row, d, heads, queries, extent); }
    size_t key_at(int b, int h, int row, int d, int extent) const {
        return at(b, h / group, row, d, key_heads(), keys, extent);
    }
    size_t at(int b, int h, int row, int d, int of_heads, int rows, int extent) const {
        return rows_first ? ((size_t(b) * rows + row) * of_heads + h) * extent + d
                          : ((size_t(b) * of_heads + h) * rows + row) * extent + d;
    }
    bool visible(int b, int i, int j) const {
        const int valid = key_lengths.empty() ? keys : std::min(std::max(key_lengths[b], 0), keys);
        const int64_t position = i + (bottom_right ? valid - queries : past);
        return j < valid && (left < 0 || j >= position - left) && (right < 0 || j <= position + right)
               && (query_segments.empty() || query_segments[b * queries + i] == key_segments[b * keys + j]);
    }
};

struct AttentionSolution {
    std::vector<double> output, log_sum_exp, maximum, delta, d_query, d_key, d_value;  // delta is dO . O - dLSE
};

// By the formula, in arithmetic of type Number, every matrix and result rounded by `store`. Pairs that are not visible
// take no part.
template <class Number>
AttentionSolution solve(const AttentionProblem& p, const std::function<double(double)>& store) {
    AttentionSolution s;
    s.output.assign(p.matrices() * p.queries * p.value_dim, 0);
    s.delta.assign(p.gradients ? p.matrices() * p.queries : 0, 0);
    s.log_sum_exp.assign(p.matrices() * p.queries, double(INFINITY));
    s.maximum.assign(p.matrices() * p.queries, 0);  // of q . k
    std::vector<Number> d_query(p.matrices() * p.queries * p.dim), d_key(p.key.size()),
        d_value(p.key_matrices() * p.keys * p.value_dim);
    const Number factor = p.factor();
    for (int b = 0; b < p.batch; b++) {
        for (int h = 0; h < p.heads; h++) {
            for (int i = 0; i < p.queries; i++) {
                auto query = [&](int d) { return p.at(b, h, i, d, p.dim); };
                auto output = [&](int d) { return p.at(b, h, i, d, p.value_dim); };
                auto key = [&](int j, int d) { return p.key_at(b, h, j, d, p.dim); };
                auto value = [&](int j, int d) { return p.key_at(b, h, j, d, p.value_dim); };
                std::vector<int> seen;
                std::vector<Number> score, weight;
                for (int j = 0; j < p.keys; j++) {
                    if (p.visible(b, i, j)) {
                        Number sum = 0;
                        for (int d = 0; d < p.dim; d++) {
                            sum += Number(p.query[query(d)]) * Number(p.key[key(j, d)]);
                        }
                        seen.push_back(j);
                        score.push_back(Number(store(double(factor * sum))));
                    }
                }
                const size_t row = (size_t(b) * p.heads + h) * p.queries + i;
                Number largest = -INFINITY, total = 0;
                for (Number x : score) largest = std::max(largest, x);
                if (largest > -INFINITY) s.maximum[row] = double(largest / factor);
                if (!p.sink.empty()) largest = std::max(largest, Number(p.sink[h]));
                if (std::all_of(score.begin(), score.end(), [](Number x) { return x == -INFINITY; }) && largest == -INFINITY) {
                    continue;
                }
                for (Number x : score) total += std::exp(x - largest);
                if (!p.sink.empty()) total += std::exp(Number(p.sink[h]) - largest);
                s.log_sum_exp[row] = double(largest + std::log(total));
                for (Number x : score) weight.push_back(Number(store(double(std::exp(x - largest) / total))));
                for (int d = 0; d < p.value_dim; d++) {
                    Number sum = 0;
                    for (size_t k = 0; k < seen.size(); k++) sum += weight[k] * Number(p.value[value(seen[k], d)]);
                    s.output[output(d)] = store(double(sum));
                }
                if (!p.gradients) {
                    continue;
                }
                Number delta = p.d_log_sum_exp.empty() ? Number(0) : -Number(p.d_log_sum_exp[row]);
                for (int d = 0; d < p.value_dim; d++) {
                    delta += Number(p.d_output[output(d)]) * Number(s.output[output(d)]);
                }
                s.delta[row] = double(delta);
                for (size_t k = 0; k < seen.size(); k++) {
                    Number d_weight = 0;
                    for (int d = 0; d < p.value_dim; d++) {
                        d_weight += Number(p.d_output[output(d)]) * Number(p.value[value(seen[k], d)]);
                        d_value[value(seen[k], d)] += weight[k] * Number(p.d_output[output(d)]);
                    }
                    const Number d_score = Number(store(double(weight[k] * (Number(store(double(d_weight))) - delta))));
                    for (int d = 0; d < p.dim; d++) {
                        d_query[query(d)] += d_score * Number(p.key[key(seen[k], d)]);
                        d_key[key(seen[k], d)] += d_score * Number(p.query[query(d)]);
                    }
                }
            }
        }
    }
    if (p.gradients) {
        for (Number x : d_query) s.d_query.push_back(store(double(factor * x)));
        for (Number x : d_key) s.d_key.push_back(store(double(factor * x)));
        for (Number x : d_value) s.d_value.push_back(store(double(x)));
    }
    return s;
}

inline AttentionSolution exact_solution(const AttentionProblem& p) {
    return solve<double>(p, [](double x) { return x; });
}

inline double largest(const std::vector<double>& values) {
    double result = 0;
    for (double x : values) {
        if (std::isfinite(x)) result = std::max(result, std::abs(x));
    }
    return result;
}
inline double largest(const std::vector<float>& values) { return largest(std::vector<double>(values.begin(), values.end())); }

// Absolute errors that are allowed.
struct AttentionTolerance {
    double output, log_sum_exp, delta, d_query, d_key, d_value;
};

// Of dO . O for an O that was rounded by the relative error given.
inline double delta_tolerance(const AttentionProblem& p, const AttentionSolution& exact, double rounding) {
    return p.value_dim * largest(p.d_output) * largest(exact.output) * (rounding + 0x1p-23) + 0x1p-23;
}

// Products and sums of floats: `unit` is the relative error of a product, 2^-21 in three TF32 products (the fourth is
// left out, and the low parts have 11 bits), 2^-10 in one. A score errs by unit times the sum of magnitudes it is made of, a
// probability relatively by twice that and the error of the sum over keys.
inline AttentionTolerance float_tolerance(const AttentionProblem& p, const AttentionSolution& exact) {
    const double unit = p.tf32 ? 0x1p-10 : 0x1p-21;
    const double scale = std::abs(p.factor()), query = largest(p.query), key = largest(p.key), value = largest(p.value);
    const double score = scale * query * key * std::sqrt(double(p.dim)) * std::sqrt(double(p.dim));
    const double probability = unit * (2 * score + 2) + 0x1p-24 * (std::sqrt(double(p.keys)) + 8);
    AttentionTolerance t{};
    t.output = 2 * probability * value;
    t.log_sum_exp = unit * (score + 1);
    if (p.gradients) {
        // No key has more probability than all queries together, of the heads that share it.
        const double d_output = largest(p.d_output);
        const double mass = p.group * std::min<double>(p.queries, 1 + 4.0 * p.queries / std::max(1, p.keys));
        const double d_weight = p.value_dim * d_output * value + (p.d_log_sum_exp.empty() ? 0 : largest(p.d_log_sum_exp));
        const double d_score = scale * d_weight * (probability + unit);
        t.delta = delta_tolerance(p, exact, p.tf32 ? unit : 0);
        t.d_query = 2 * d_score * key;
        t.d_key = 2 * mass * d_score * query;
        t.d_value = 2 * mass * (probability + unit) * d_output;
    }
    return t;
}

// Twice the error that naive loops have in this storage, three times for gradients, and the rounding of a result near 0.3.
inline AttentionTolerance storage_tolerance(const AttentionProblem& p, const AttentionSolution& exact, Storage storage) {
    const AttentionSolution naive = solve<float>(p, [&](double x) { return double(round_to(storage, float(x))); });
    auto bound = [&](double factor, const std::vector<double>& low, const std::vector<double>& reference) {
        double error = 0, rounding = 0;
        for (size_t i = 0; i < reference.size(); i++) {
            if (std::isfinite(reference[i])) {
                const float x = float(reference[i]);
                error = std::max(error, std::abs(low[i] - reference[i]));
                const float shifted = round_to(storage, round_to(storage, round_to(storage, x) + 0.3f) - 0.3f);
                rounding = std::max(rounding, std::abs(double(shifted) - reference[i]));
            }
        }
        return factor * error + 2 * rounding;
    };
    return {bound(2, naive.output, exact.output), bound(2, naive.log_sum_exp, exact.log_sum_exp) + 1e-5,
            delta_tolerance(p, exact, storage == Storage::BF16 ? 0x1p-9 : 0x1p-12), bound(3, naive.d_query, exact.d_query), bound(3, naive.d_key, exact.d_key), bound(3, naive.d_value, exact.d_value)};
}
