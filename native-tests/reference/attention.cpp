// SPDX-License-Identifier: Apache-2.0
#include "attention.h"

#include <algorithm>
#include <sstream>

std::string AttentionProblem::text() const {
    std::ostringstream text;
    text << "planes " << ring.planes << (ring.mixed ? " mixed" : "") << " batch " << batch << " heads " << heads << " in groups of "
         << group << " queries " << queries << " keys " << keys << " dims " << dim << ", " << value_dim << " window " << left << ", "
         << right << " past " << past << (sinks ? " sink" : "") << (bottom_right ? " bottom right" : "")
         << (rows_first ? " rows first" : "") << " precision " << precision << " similarity " << int(similarity);
    return text.str();
}

size_t AttentionProblem::bias_at(int b, int h, int i, int j, double ahead) const {
    const size_t element = broadcast(bias_extents, b, h, i, j);
    const double reach = bias_reach;
    return bias_reach < 0 ? element : element * (2 * bias_reach + 1) + size_t(std::min(std::max(ahead, -reach), reach) + reach);
}

bool AttentionProblem::visible(int b, int h, int i, int j, double& ahead) const {
    const int valid = key_lengths.empty() ? keys : std::min(std::max(key_lengths[b], 0), keys);
    int64_t query_count = queries, key_count = valid, query = i, key = j;
    if (!query_sequences.empty()) {
        int s = int(query_sequences.size()) - 2;
        while (s >= 0 && !(query_sequences[s] <= i && i < query_sequences[s + 1])) s--;
        ahead = j;
        if (s < 0) return false;
        query_count = query_sequences[s + 1] - query_sequences[s];
        key_count = std::max(0, std::min(key_sequences[s + 1], valid) - key_sequences[s]);
        query -= query_sequences[s];
        key -= key_sequences[s];
    }
    const int64_t position = bottom_right ? key_count - query_count + query : past + query;
    ahead = double(key - position);
    return 0 <= key && key < key_count && (left < 0 || key >= position - left) && (right < 0 || key <= position + right)
           && (query_segments.empty() || query_segments[b * queries + i] == key_segments[b * keys + j])
           && (mask.empty() || mask[broadcast(mask_extents, b, h, i, j)] != -INFINITY);
}

double philox_uniform(uint64_t seed, uint64_t stream, uint64_t n) {
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

namespace {

template <int MAX_PLANES>
class NaiveAttention : SeriesArithmetic<MAX_PLANES> {
    using Base = SeriesArithmetic<MAX_PLANES>;
    using Number = Series<MAX_PLANES>;
    using Base::add, Base::add_product, Base::divide, Base::exp, Base::log, Base::multiply, Base::number, Base::power, Base::ring,
        Base::scale, Base::tanh;

  public:
    NaiveAttention(const AttentionProblem& problem, Storage rounding)
        : Base{problem.ring}, p(problem), rounding(rounding), d_key(p.key_rows() * p.dim), d_value(p.key_rows() * p.value_dim),
          d_bias(p.bias.empty() ? 0 : p.bias[0].size()), d_sink(p.heads) {}

    AttentionSolution solve() {
        for (SumPlanes* array : {&s.output, &s.log_sum_exp, &s.delta, &s.d_query, &s.d_key, &s.d_value, &s.d_bias, &s.d_sink}) {
            array->resize(ring.planes);
        }
        resize(s.output, p.rows() * p.value_dim);
        resize(s.log_sum_exp, p.rows());
        for (Sum& x : s.log_sum_exp[0]) x.add(INFINITY);
        resize(s.delta, p.rows());
        resize(s.d_query, p.rows() * p.dim);
        s.maximum.assign(p.rows(), 0);
        for (auto& stage : s.stages) stage.assign(p.rows() * p.keys, 0);

        for_each_key([&](int b, int h, int j) {
            compared_keys.push_back(compared(read_row(p.key, p.dim, [&](int d) { return p.key_at(b, h, j, d); })));
        });
        for (int b = 0; b < p.batch; b++) {
            for (int h = 0; h < p.heads; h++) {
                for (int i = 0; i < p.queries; i++) solve_query(b, h, i);
            }
        }
        if (p.similarity == Similarity::COSINE) {
            for_each_key([&](int b, int h, int j) {
                std::vector<Number> gradient;
                for (int d = 0; d < p.dim; d++) gradient.push_back(d_key[p.key_at(b, h, j, d)]);
                gradient = gradient_of_row(compared_keys[key_row(b, h, j)], gradient);
                for (int d = 0; d < p.dim; d++) d_key[p.key_at(b, h, j, d)] = gradient[d];
            });
        }
        write_all(s.d_key, d_key);
        write_all(s.d_value, d_value);
        write_all(s.d_bias, d_bias);
        write_all(s.d_sink, d_sink);
        return std::move(s);
    }

  private:
    // A query or key as it is compared: x, or for cosine similarity r x with r = (x . x)^(-1/2).
    struct Compared {
        std::vector<Number> y;
        Number r;
    };

    // A key that a query sees.
    struct Seen {
        int key;
        double ahead;
        Number score, slope, probability, kept;  // the slope of the softcap; the probability after dropout
        double dropout_factor;
    };

    Compared compared(const std::vector<Number>& x) const {
        if (p.similarity != Similarity::COSINE) {
            return {x, number(1)};
        }
        Compared c;
        Number square;
        for (const Number& e : x) add_product(square, e, e);
        if (square[0].value != 0) c.r = power(square, -0.5);
        for (const Number& e : x) c.y.push_back(multiply(e, c.r));
        return c;
    }

    // From the gradient of y to that of x: dx = r (dy - y (y . dy)).
    std::vector<Number> gradient_of_row(const Compared& c, const std::vector<Number>& dy) const {
        Number radial;
        bool none = true;
        for (int d = 0; d < p.dim; d++) {
            add_product(radial, c.y[d], dy[d]);
            for (int k = 0; k < ring.planes; k++) none &= dy[d][k].value == 0;
        }
        std::vector<Number> dx(p.dim);
        for (int d = 0; d < p.dim && !none; d++) {
            dx[d] = multiply(c.r, add(dy[d], multiply(c.y[d], radial), -1));
        }
        return dx;
    }

    // The similarity of a query and a key times the scale.
    Number similarity(const std::vector<Number>& query, const std::vector<Number>& key) const {
        Number x;
        for (int d = 0; d < p.dim; d++) {
            if (p.similarity == Similarity::EUCLIDEAN) {
                const Number difference = add(query[d], key[d], -1);
                x = add(x, multiply(difference, difference), -1);
            } else {
                add_product(x, query[d], key[d]);
            }
        }
        return scale(x, p.factor());
    }

    // Its derivative by an element of the one row, without the scale.
    Number slope(const Number& own, const Number& other) const {
        return p.similarity == Similarity::EUCLIDEAN ? scale(add(other, own, -1), 2) : other;
    }

    void solve_query(int b, int h, int i) {
        const int kh = h / p.group;
        const size_t row = (size_t(b) * p.heads + h) * p.queries + i;
        const Compared query = compared(read_row(p.query, p.dim, [&](int d) { return p.query_at(b, h, i, d); }));
        std::vector<Seen> seen;
        for (int j = 0; j < p.keys; j++) {
            Number x = similarity(query.y, compared_keys[key_row(b, kh, j)].y), slope = number(1);
            double* const stage[] = {&s.stages[0][row * p.keys + j], &s.stages[1][row * p.keys + j], &s.stages[2][row * p.keys + j]};
            double ahead;
            const bool visible = p.visible(b, h, i, j, ahead);
            *stage[0] = x[0].value;
            if (visible && std::isfinite(x[0].size)) s.largest_score = std::max(s.largest_score, x[0].size);
            x = rounded(x);
            if (p.has_bias()) x = add(x, read(p.bias, p.bias_at(b, h, i, j, ahead)));
            if (p.softcap > 0) {
                const Number t = tanh(scale(x, 1 / double(p.softcap)));
                slope = add(slope, multiply(t, t), -1);
                x = scale(t, p.softcap);
            }
            *stage[1] = x[0].value;
            *stage[2] = -INFINITY;
            if (visible) {
                if (!p.mask.empty()) x[0].add(p.mask[AttentionProblem::broadcast(p.mask_extents, b, h, i, j)]);
                if (!p.slopes.empty()) x[0].add(-p.slopes[h] * std::abs(ahead));
                *stage[2] = x[0].value;
                seen.push_back({j, ahead, x, slope, {}, {}, 1});
            }
        }

        const Number sink = p.sinks ? read(p.sink, h) : Number{};
        double largest = p.sinks ? sink[0].value : -INFINITY, largest_of_keys = -INFINITY;
        for (const Seen& k : seen) {
            const double x = k.score[0].value;
            largest = std::isnan(x) ? x : std::max(largest, x);
            largest_of_keys = std::max(largest_of_keys, x);
        }
        if (largest_of_keys > -INFINITY) s.maximum[row] = largest_of_keys / p.factor();
        if (largest == -INFINITY) return;  // nothing is in the sum
        const auto weight = [&](const Number& x) {
            return x[0].value == -INFINITY && largest > -INFINITY ? Number{} : exp(add(x, number(-largest)));
        };
        Number total = p.sinks ? weight(sink) : Number{};
        for (const Seen& k : seen) total = add(total, weight(k.score));
        write(s.log_sum_exp, row, add(log(total), number(largest)));
        for (Seen& k : seen) {
            k.probability = rounded(divide(weight(k.score), total));
            s.stages[3][row * p.keys + k.key] = k.probability[0].value;
            const double uniform = philox_uniform(uint64_t(p.seed), uint64_t(b) * p.heads + h, (uint64_t(i) << 34) + k.key);
            k.dropout_factor = uniform < p.dropout ? 0 : 1 / (1 - double(p.dropout));
            k.kept = scale(k.probability, k.dropout_factor);
        }

        std::vector<Number> d_output(p.value_dim);
        Number delta = scale(read(p.d_log_sum_exp, row), -1);
        for (int d = 0; d < p.value_dim; d++) {
            const size_t at = p.output_at(b, h, i, d);
            Number sum;
            for (const Seen& k : seen) add_product(sum, k.kept, read(p.value, p.value_at(b, kh, k.key, d)));
            sum = rounded(sum);
            write(s.output, at, sum);
            d_output[d] = read(p.d_output, at);
            if (!seen.empty()) add_product(delta, d_output[d], sum);
        }
        write(s.delta, row, delta);
        if (p.sinks) d_sink[h] = add(d_sink[h], multiply(divide(weight(sink), total), delta), -1);

        std::vector<Number> d_query(p.dim);
        for (const Seen& k : seen) {
            Number d_kept;
            for (int d = 0; d < p.value_dim; d++) {
                const size_t at = p.value_at(b, kh, k.key, d);
                add_product(d_kept, d_output[d], read(p.value, at));
                add_product(d_value[at], k.kept, d_output[d]);
            }
            const Number d_probability = scale(rounded(d_kept), k.dropout_factor);
            const Number d_score = rounded(multiply(multiply(k.probability, add(d_probability, delta, -1)), k.slope));
            if (p.has_bias()) {
                Number& to = d_bias[p.bias_at(b, h, i, k.key, k.ahead)];
                to = add(to, d_score);
            }
            const Number scaled = scale(d_score, p.factor());
            const std::vector<Number>& key = compared_keys[key_row(b, kh, k.key)].y;
            for (int d = 0; d < p.dim; d++) {
                Number& to_key = d_key[p.key_at(b, kh, k.key, d)];
                add_product(d_query[d], scaled, slope(query.y[d], key[d]));
                add_product(to_key, scaled, slope(key[d], query.y[d]));
            }
        }
        if (p.similarity == Similarity::COSINE) d_query = gradient_of_row(query, d_query);
        for (int d = 0; d < p.dim; d++) write(s.d_query, p.query_at(b, h, i, d), rounded(d_query[d]));
    }

    template <class F>
    void for_each_key(F f) const {
        for (int b = 0; b < p.batch; b++) {
            for (int h = 0; h < p.key_heads(); h++) {
                for (int j = 0; j < p.keys; j++) f(b, h, j);
            }
        }
    }
    size_t key_row(int b, int key_head, int j) const { return (size_t(b) * p.key_heads() + key_head) * p.keys + j; }

    Number read(const Planes& planes, size_t i) const {
        Number x;
        for (int k = 0; k < ring.planes && k < int(planes.size()); k++) {
            if (!planes[k].empty()) x[k].add(planes[k][i]);
        }
        return x;
    }
    template <class At>
    std::vector<Number> read_row(const Planes& planes, int extent, At at) const {
        std::vector<Number> x;
        for (int d = 0; d < extent; d++) x.push_back(read(planes, at(d)));
        return x;
    }
    Number rounded(Number x) const {
        for (int k = 0; k < ring.planes && rounding != Storage::F32; k++) x[k].value = round_to(rounding, float(x[k].value));
        return x;
    }
    static void resize(SumPlanes& to, size_t count) {
        for (auto& plane : to) plane.resize(count);
    }
    void write(SumPlanes& to, size_t i, const Number& x) const {
        for (int k = 0; k < ring.planes; k++) to[k][i] = x[k];
    }
    void write_all(SumPlanes& to, const std::vector<Number>& from) const {
        resize(to, from.size());
        for (size_t i = 0; i < from.size(); i++) write(to, i, rounded(from[i]));
    }

    const AttentionProblem& p;
    const Storage rounding;
    AttentionSolution s;
    std::vector<Compared> compared_keys;
    std::vector<Number> d_key, d_value, d_bias, d_sink;
};

}  // namespace

AttentionSolution solve(const AttentionProblem& p, Storage rounding) {
    return p.ring.planes == 1   ? NaiveAttention<1>(p, rounding).solve()
           : p.ring.planes == 2 ? NaiveAttention<2>(p, rounding).solve()
                                : NaiveAttention<16>(p, rounding).solve();
}
