// SPDX-License-Identifier: Apache-2.0
// Softmax, moments and densities by definition, in float64.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

// Of a row; one of minus infinities alone has probabilities 0 and no log-sum-exp.
struct Softmax {
    double log_sum_exp, entropy = 0;
    std::vector<double> probabilities;

    Softmax(const float* x, int count) {
        const double largest = *std::max_element(x, x + count);
        double sum = 0;
        for (int i = 0; i < count; i++) sum += std::exp(x[i] - largest);
        log_sum_exp = largest + std::log(sum);
        for (int i = 0; i < count; i++) {
            const double p = largest == -INFINITY ? 0 : std::exp(x[i] - largest) / sum;
            probabilities.push_back(p);
            entropy -= p > 0 ? p * std::log(p) : 0;
        }
    }
};

struct Moments {
    double mean = 0, variance = 0;

    Moments(const float* x, int count) {
        for (int i = 0; i < count; i++) mean += x[i] / double(count);
        for (int i = 0; i < count; i++) variance += (x[i] - mean) * (x[i] - mean) / count;
    }
};

// Of a normal distribution at a distance of z standard deviations.
inline double normal_log_density(double z, double log_std) { return -z * z / 2 - log_std - std::log(2 * M_PI) / 2; }
