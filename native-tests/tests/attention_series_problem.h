// An attention over a ring of series, with everything that may be asked of it, and its solution by naive loops.
#pragma once
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "attention_problem.h"

struct TestRing {
    bool mixed = false;
    int planes = 1;
};

// A number of a ring.
using Series = std::vector<double>;

// Arithmetic by definition: of coefficients in t, or in products of infinitesimals. What a series has beside its value is
// nilpotent, so that the power series of a function ends.
struct SeriesArithmetic {
    TestRing ring;

    Series number(double x) const {
        Series y(ring.planes);
        y[0] = x;
        return y;
    }
    Series add(Series x, const Series& y, double factor = 1) const {
        for (int k = 0; k < ring.planes; k++) x[k] += factor * y[k];
        return x;
    }
    Series scale(Series x, double factor) const {
        for (double& e : x) e *= factor;
        return x;
    }
    Series multiply(const Series& x, const Series& y) const {
        Series z(ring.planes);
        for (int a = 0; a < ring.planes; a++) {
            for (int b = 0; b < ring.planes; b++) {
                const int target = ring.mixed ? (a & b ? ring.planes : a | b) : a + b;
                if (target < ring.planes) z[target] += x[a] * y[b];
            }
        }
        return z;
    }
    // sum of coefficient(m) n^m, n being x without its value
    template <class F>
    Series power_series(const Series& x, F coefficient) const {
        Series n = x, power = number(1), sum(ring.planes);
        n[0] = 0;
        for (int m = 0; m < ring.planes; m++) {
            sum = add(sum, power, coefficient(m));
            power = multiply(power, n);
        }
        return sum;
    }
    Series exp(const Series& x) const {
        return power_series(x, [&](int m) { return std::exp(x[0]) / std::tgamma(m + 1.0); });
    }
    Series log(const Series& x) const {
        return power_series(x, [&](int m) { return m == 0 ? std::log(x[0]) : -std::pow(-1 / x[0], m) / m; });
    }
    Series power(const Series& x, double exponent) const {
        return power_series(x, [&](int m) {
            double binomial = 1;
            for (int i = 0; i < m; i++) binomial *= (exponent - i) / (i + 1);
            return binomial * std::pow(x[0], exponent - m);
        });
    }
    Series divide(const Series& x, const Series& y) const { return multiply(x, power(y, -1)); }
    // With its derivative, from e = exp(-2 |x|).
    Series tanh(const Series& x) const {
        const double sign = x[0] < 0 ? -1 : 1;
        const Series e = exp(scale(x, -2 * sign));
        return scale(divide(add(number(1), e, -1), add(number(1), e)), sign);
    }
};

enum class Similarity { DOT, COSINE, EUCLIDEAN };

struct SeriesProblem {
    TestRing ring;
    int batch = 1, heads = 1, key_heads = 1, queries = 1, keys = 1, dim = 1, value_dim = 1;
    int left = -1, right = -1;
    bool bottom_right = false, rows_first = false;
    Similarity similarity = Similarity::DOT;
    float scale = 0.5f, softcap = 0, dropout = 0;
    int past_keys = 0;
    int64_t seed = 7;
    int bias_reach = -1;  // of a relative bias, whose extents are [batch or 1, heads or 1, 1, 1]
    std::array<int, 4> bias_extents{1, 1, 1, 1}, mask_extents{1, 1, 1, 1};
    std::vector<int> query_segments, key_segments, key_lengths, query_sequences, key_sequences;
    std::vector<float> mask, slopes;
    std::vector<std::vector<float>> query, key, value, d_output, d_log_sum_exp, bias, sink;  // planes; an empty one is 0

    std::string text() const {
        return "planes " + std::to_string(ring.planes) + (ring.mixed ? " mixed" : "") + " batch " + std::to_string(batch) + " heads "
               + std::to_string(heads) + "/" + std::to_string(key_heads) + " queries " + std::to_string(queries) + " keys "
               + std::to_string(keys) + " dims " + std::to_string(dim) + ", " + std::to_string(value_dim) + " window "
               + std::to_string(left) + ", " + std::to_string(right) + (bottom_right ? " bottom right" : "")
               + (rows_first ? " rows first" : "") + " similarity " + std::to_string(int(similarity));
    }

    size_t at(int b, int h, int row, int d, int of_heads, int rows, int extent) const {
        return rows_first ? ((size_t(b) * rows + row) * of_heads + h) * extent + d
                          : ((size_t(b) * of_heads + h) * rows + row) * extent + d;
    }
    static size_t in(const std::array<int, 4>& e, int b, int h, int i, int j) {
        return ((size_t(e[0] == 1 ? 0 : b) * e[1] + (e[1] == 1 ? 0 : h)) * e[2] + (e[2] == 1 ? 0 : i)) * e[3] + (e[3] == 1 ? 0 : j);
    }

    // The sequence of a row, of those that start at `starts`; -1 if it is in none.
    static int sequence(const std::vector<int>& starts, int row) {
        for (size_t s = 0; s + 1 < starts.size(); s++) {
            if (starts[s] <= row && row < starts[s + 1]) return int(s);
        }
        return -1;
    }

    // The element of the bias for a pair whose key is `ahead` positions after its query.
    size_t bias_element(int b, int h, int i, int j, double ahead) const {
        const size_t element = in(bias_extents, b, h, i, j);
        const double reach = bias_reach;
        return bias_reach < 0 ? element
                              : element * (2 * bias_reach + 1) + size_t(std::min(std::max(ahead, -reach), reach) + reach);
    }

    // Whether query i sees key j, and how far that is after it. A query in no sequence stands at 0.
    bool visible(int b, int h, int i, int j, double& ahead) const {
        const int valid = key_lengths.empty() ? keys : std::min(std::max(key_lengths[b], 0), keys);
        int64_t query_count = queries, key_count = valid, query = i, key = j;
        if (!query_sequences.empty()) {
            const int s = sequence(query_sequences, i);
            ahead = j;
            if (s < 0) return false;
            query_count = query_sequences[s + 1] - query_sequences[s];
            key_count = std::max(0, std::min(key_sequences[s + 1], valid) - key_sequences[s]);
            query -= query_sequences[s];
            key -= key_sequences[s];
        }
        const int64_t position = bottom_right ? key_count - query_count + query : past_keys + query;
        ahead = double(key - position);
        return 0 <= key && key < key_count && (left < 0 || key >= position - left) && (right < 0 || key <= position + right)
               && (query_segments.empty() || query_segments[b * queries + i] == key_segments[b * keys + j])
               && (mask.empty() || mask[in(mask_extents, b, h, i, j)] != -INFINITY);
    }
};

// Number n of stream `stream` of Philox 4x32-10, by the paper.
inline double philox_uniform(uint64_t seed, uint64_t stream, uint64_t n) {
    uint32_t c[4] = {uint32_t(n / 4), uint32_t(n / 4 >> 32), uint32_t(stream), uint32_t(stream >> 32)};
    uint32_t k[2] = {uint32_t(seed), uint32_t(seed >> 32)};
    for (int round = 0; round < 10; round++) {
        const uint64_t m0 = uint64_t(0xD2511F53) * c[0], m1 = uint64_t(0xCD9E8D57) * c[2];
        const uint32_t next[4] = {uint32_t(m1 >> 32) ^ c[1] ^ k[0], uint32_t(m1), uint32_t(m0 >> 32) ^ c[3] ^ k[1], uint32_t(m0)};
        std::copy(next, next + 4, c);
        k[0] += 0x9E3779B9;
        k[1] += 0xBB67AE85;
    }
    return (double(c[n % 4] >> 9) + 0.5) * 0x1p-23;
}

struct SeriesSolution {
    std::vector<Series> output, log_sum_exp, d_query, d_key, d_value, d_bias, d_sink;
    std::vector<double> stages[4];  // of plane 0: scores, after the softcap, after the masks, probabilities
};

// Query or key of cosine similarity as they are compared, r x with r = (x . x)^(-1/2); dx = r (dy - y (y . dy)).
struct Sphere {
    std::vector<Series> y;
    Series r;
};
inline Sphere sphere(const SeriesArithmetic& m, const std::vector<Series>& x) {
    Sphere s{{}, m.number(0)};
    Series square = m.number(0);
    for (const Series& e : x) square = m.add(square, m.multiply(e, e));
    if (square[0] != 0) s.r = m.power(square, -0.5);
    for (const Series& e : x) s.y.push_back(m.multiply(e, s.r));
    return s;
}
inline std::vector<Series> from_sphere(const SeriesArithmetic& m, const Sphere& s, const std::vector<Series>& dy) {
    Series radial = m.number(0);
    bool none = true;
    for (size_t d = 0; d < dy.size(); d++) {
        radial = m.add(radial, m.multiply(s.y[d], dy[d]));
        for (double e : dy[d]) none &= e == 0;
    }
    std::vector<Series> dx;
    for (size_t d = 0; d < dy.size(); d++) {
        dx.push_back(none ? m.number(0) : m.multiply(s.r, m.add(dy[d], m.multiply(s.y[d], radial), -1)));
    }
    return dx;
}

inline SeriesSolution solve(const SeriesProblem& p) {
    const SeriesArithmetic m{p.ring};
    const Series zero = m.number(0);
    const auto at = [&](const std::vector<std::vector<float>>& planes, size_t i) {
        Series x(p.ring.planes);
        for (int k = 0; k < p.ring.planes; k++) x[k] = planes[k].empty() ? 0 : double(planes[k][i]);
        return x;
    };
    const int group = p.heads / p.key_heads;
    const size_t rows = size_t(p.batch) * p.heads * p.queries, key_rows = size_t(p.batch) * p.key_heads * p.keys;
    SeriesSolution s;
    s.output.assign(rows * p.value_dim, zero);
    s.log_sum_exp.assign(rows, m.number(INFINITY));
    s.d_query.assign(rows * p.dim, zero);
    s.d_key.assign(key_rows * p.dim, zero);
    s.d_value.assign(key_rows * p.value_dim, zero);
    s.d_bias.assign(p.bias[0].size(), zero);
    s.d_sink.assign(p.heads, zero);
    for (auto& stage : s.stages) stage.assign(rows * p.keys, 0);
    const auto row_of = [&](const std::vector<std::vector<float>>& planes, int b, int h, int i, int heads, int count, int extent) {
        std::vector<Series> x;
        for (int d = 0; d < extent; d++) x.push_back(at(planes, p.at(b, h, i, d, heads, count, extent)));
        return x;
    };
    const bool cosine = p.similarity == Similarity::COSINE, euclidean = p.similarity == Similarity::EUCLIDEAN;
    // Gradients for rows on the sphere are gathered over all queries.
    std::vector<std::vector<Series>> key_gradients(key_rows, std::vector<Series>(p.dim, zero));
    for (int b = 0; b < p.batch; b++) {
        for (int h = 0; h < p.heads; h++) {
            const int kh = h / group;
            const auto key_row = [&](int j) { return row_of(p.key, b, kh, j, p.key_heads, p.keys, p.dim); };
            for (int i = 0; i < p.queries; i++) {
                const size_t row = (size_t(b) * p.heads + h) * p.queries + i;
                std::vector<Series> query = row_of(p.query, b, h, i, p.heads, p.queries, p.dim);
                const Sphere query_sphere = cosine ? sphere(m, query) : Sphere{};
                if (cosine) query = query_sphere.y;
                std::vector<int> seen;
                std::vector<Series> score, slope;
                for (int j = 0; j < p.keys; j++) {
                    std::vector<Series> key = key_row(j);
                    if (cosine) key = sphere(m, key).y;
                    Series x = zero;
                    for (int d = 0; d < p.dim; d++) {
                        const Series difference = m.add(query[d], key[d], -1);
                        x = euclidean ? m.add(x, m.multiply(difference, difference), -1) : m.add(x, m.multiply(query[d], key[d]));
                    }
                    x = m.scale(x, p.scale);
                    s.stages[0][row * p.keys + j] = x[0];
                    double ahead;
                    const bool visible = p.visible(b, h, i, j, ahead);
                    if (!p.bias[0].empty()) x = m.add(x, at(p.bias, p.bias_element(b, h, i, j, ahead)));
                    Series g = m.number(1);
                    if (p.softcap > 0) {
                        const Series t = m.tanh(m.scale(x, 1 / double(p.softcap)));
                        g = m.add(g, m.multiply(t, t), -1);
                        x = m.scale(t, p.softcap);
                    }
                    s.stages[1][row * p.keys + j] = x[0];
                    s.stages[2][row * p.keys + j] = -INFINITY;
                    if (visible) {
                        if (!p.mask.empty()) x[0] += p.mask[SeriesProblem::in(p.mask_extents, b, h, i, j)];
                        if (!p.slopes.empty()) x[0] -= p.slopes[h] * std::abs(ahead);
                        s.stages[2][row * p.keys + j] = x[0];
                        seen.push_back(j);
                        score.push_back(x);
                        slope.push_back(g);
                    }
                }
                const bool has_sink = !p.sink[0].empty();
                const Series sink = has_sink ? at(p.sink, h) : zero;
                double largest = has_sink ? sink[0] : -INFINITY;
                for (const Series& x : score) largest = std::isnan(x[0]) ? x[0] : std::max(largest, x[0]);
                if (largest == -INFINITY) continue;  // nothing is in the sum
                const auto weight = [&](const Series& x) {
                    return x[0] == -INFINITY && largest > -INFINITY ? zero : m.exp(m.add(x, m.number(-largest)));
                };
                Series total = has_sink ? weight(sink) : zero;
                for (const Series& x : score) total = m.add(total, weight(x));
                s.log_sum_exp[row] = m.add(m.log(total), m.number(largest));
                std::vector<Series> probability, kept;
                for (size_t n = 0; n < seen.size(); n++) {
                    probability.push_back(m.divide(weight(score[n]), total));
                    s.stages[3][row * p.keys + seen[n]] = probability[n][0];
                    const double number = philox_uniform(uint64_t(p.seed), uint64_t(b) * p.heads + h, (uint64_t(i) << 34) + seen[n]);
                    const double factor = number < p.dropout ? 0 : 1 / (1 - double(p.dropout));
                    kept.push_back(m.scale(probability[n], factor));
                }
                Series delta = m.scale(at(p.d_log_sum_exp, row), -1);
                const auto output = [&](int d) { return p.at(b, h, i, d, p.heads, p.queries, p.value_dim); };
                const auto value = [&](size_t n, int d) { return p.at(b, kh, seen[n], d, p.key_heads, p.keys, p.value_dim); };
                for (int d = 0; d < p.value_dim; d++) {
                    Series sum = zero;
                    for (size_t n = 0; n < seen.size(); n++) sum = m.add(sum, m.multiply(kept[n], at(p.value, value(n, d))));
                    s.output[output(d)] = sum;
                    if (!seen.empty()) delta = m.add(delta, m.multiply(at(p.d_output, output(d)), sum));
                }
                if (has_sink) {
                    s.d_sink[h] = m.add(s.d_sink[h], m.multiply(m.divide(weight(sink), total), delta), -1);
                }
                std::vector<Series> query_gradient(p.dim, zero);
                for (size_t n = 0; n < seen.size(); n++) {
                    Series d_kept = zero;
                    for (int d = 0; d < p.value_dim; d++) {
                        const Series d_output = at(p.d_output, output(d));
                        d_kept = m.add(d_kept, m.multiply(d_output, at(p.value, value(n, d))));
                        s.d_value[value(n, d)] = m.add(s.d_value[value(n, d)], m.multiply(kept[n], d_output));
                    }
                    const double number = philox_uniform(uint64_t(p.seed), uint64_t(b) * p.heads + h, (uint64_t(i) << 34) + seen[n]);
                    const Series d_probability = m.scale(d_kept, number < p.dropout ? 0 : 1 / (1 - double(p.dropout)));
                    const Series dz = m.multiply(m.multiply(probability[n], m.add(d_probability, delta, -1)), slope[n]);
                    if (!p.bias[0].empty()) {
                        double ahead;
                        p.visible(b, h, i, seen[n], ahead);
                        Series& to = s.d_bias[p.bias_element(b, h, i, seen[n], ahead)];
                        to = m.add(to, dz);
                    }
                    const Series scaled = m.scale(dz, p.scale);
                    std::vector<Series> key = key_row(seen[n]);
                    if (cosine) key = sphere(m, key).y;
                    auto& key_gradient = key_gradients[(size_t(b) * p.key_heads + kh) * p.keys + seen[n]];
                    for (int d = 0; d < p.dim; d++) {
                        const Series for_query = euclidean ? m.scale(m.add(key[d], query[d], -1), 2) : key[d];
                        const Series for_key = euclidean ? m.scale(m.add(query[d], key[d], -1), 2) : query[d];
                        query_gradient[d] = m.add(query_gradient[d], m.multiply(scaled, for_query));
                        key_gradient[d] = m.add(key_gradient[d], m.multiply(scaled, for_key));
                    }
                }
                if (cosine) query_gradient = from_sphere(m, query_sphere, query_gradient);
                for (int d = 0; d < p.dim; d++) s.d_query[p.at(b, h, i, d, p.heads, p.queries, p.dim)] = query_gradient[d];
            }
        }
    }
    for (int b = 0; b < p.batch; b++) {
        for (int h = 0; h < p.key_heads; h++) {
            for (int j = 0; j < p.keys; j++) {
                std::vector<Series> gradient = key_gradients[(size_t(b) * p.key_heads + h) * p.keys + j];
                if (cosine) {
                    gradient = from_sphere(m, sphere(m, row_of(p.key, b, h, j, p.key_heads, p.keys, p.dim)), gradient);
                }
                for (int d = 0; d < p.dim; d++) s.d_key[p.at(b, h, j, d, p.key_heads, p.keys, p.dim)] = gradient[d];
            }
        }
    }
    return s;
}
