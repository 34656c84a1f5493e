// SPDX-License-Identifier: Apache-2.0
// Numbers of a ring of series in float64, each coefficient with a running error bound.
#pragma once
#include <cmath>

// A sum and the sum of its terms' magnitudes, to which its rounding error is relative.
struct Sum {
    double value = 0, size = 0;
    void add(double term) { add(term, std::abs(term)); }
    void add(double term, double magnitude) {
        value += term;
        size += magnitude;
    }
};

// Series in one variable t up to its power planes - 1, or polynomials in several infinitesimals, of which bit i of a plane's
// number says whether the i-th is a factor.
struct Ring {
    bool mixed = false;
    int planes = 1;
};

template <int MAX_PLANES>
struct Series {
    Sum planes[MAX_PLANES];
    Sum& operator[](int k) { return planes[k]; }
    const Sum& operator[](int k) const { return planes[k]; }
};

// Arithmetic by definition. All of a series but its plane 0 is nilpotent, so that the power series of a function ends.
template <int MAX_PLANES>
struct SeriesArithmetic {
    using Number = Series<MAX_PLANES>;
    Ring ring;

    static Number number(double x) {
        Number y;
        y[0].add(x);
        return y;
    }
    Number add(Number x, const Number& y, double factor = 1) const {
        for (int k = 0; k < ring.planes; k++) x[k].add(factor * y[k].value, std::abs(factor) * y[k].size);
        return x;
    }
    Number scale(const Number& x, double factor) const { return add({}, x, factor); }
    void add_product(Number& sum, const Number& x, const Number& y) const {
        for (int a = 0; a < ring.planes; a++) {
            for (int b = 0; b < ring.planes; b++) {
                const int target = ring.mixed ? (a & b ? ring.planes : a | b) : a + b;
                if (target < ring.planes) sum[target].add(x[a].value * y[b].value, x[a].size * y[b].size);
            }
        }
    }
    Number multiply(const Number& x, const Number& y) const {
        Number z;
        add_product(z, x, y);
        return z;
    }
    // sum of coefficient(m) n^m, n being x without its plane 0
    template <class F>
    Number power_series(const Number& x, F coefficient) const {
        Number n = x, power = number(1), sum;
        n[0] = {};
        for (int m = 0; m < ring.planes; m++) {
            sum = add(sum, power, coefficient(m));
            power = multiply(power, n);
        }
        return sum;
    }
    Number exp(const Number& x) const {
        return power_series(x, [&](int m) { return std::exp(x[0].value) / std::tgamma(m + 1.0); });
    }
    Number log(const Number& x) const {
        return power_series(x, [&](int m) { return m == 0 ? std::log(x[0].value) : -std::pow(-1 / x[0].value, m) / m; });
    }
    Number power(const Number& x, double exponent) const {
        return power_series(x, [&](int m) {
            double binomial = 1;
            for (int i = 0; i < m; i++) binomial *= (exponent - i) / (i + 1);
            return binomial * std::pow(x[0].value, exponent - m);
        });
    }
    Number divide(const Number& x, const Number& y) const { return multiply(x, power(y, -1)); }
    // By e = exp(-2 |x|).
    Number tanh(const Number& x) const {
        const double sign = x[0].value < 0 ? -1 : 1;
        const Number e = exp(scale(x, -2 * sign));
        return scale(divide(add(number(1), e, -1), add(number(1), e)), sign);
    }
};
