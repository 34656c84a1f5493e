// SPDX-License-Identifier: Apache-2.0
// Arithmetic of truncated power series. A number is its coefficients, the planes; plane 0 is the value. Either plane k goes
// with t^k, or, mixed, with the product of the infinitesimals whose bits are set in k, each of which squares to 0. With
// x y the product and f' the derivative of f:
//
//   (x y)_k = sum of x_a y_b                       a + b = k;  mixed: a and b have k's bits between them
//   n_k f(x)_k = sum of w_a x_a f'(x)_b,  k > 0    w_a = a, n_k = k;  mixed: w_a = 1 if a has k's highest bit, n_k = 1
//
// The second is the chain rule for one variable of the plane. On its right stand only planes of f'(x) before k, so it
// gives the planes of functions that are known with their derivatives, one after the other:
//
//   y = exp x    y_k = sum of w_a x_a y_b / n_k
//   y = log x    y_k = (n_k x_k - sum over a < k of w_a y_a x_b) / (n_k x_0)
//   y = u / x    y_k = (u_k - sum over a > 0 of x_a y_b) / x_0
#pragma once
#include "../common/cuda.cuh"

constexpr int MAX_PLANES = 16;

// PLANES of them, or if that is 0, `count`.
template <int PLANES>
struct SeriesRing {
    int count;
    bool mixed;

    __device__ int planes() const { return PLANES ? PLANES : count; }

    // f(a, b) for the terms of a product's plane, a ascending.
    template <class F>
    __device__ void products(int target, F f) const {
        if constexpr (PLANES == 1) {
            f(0, 0);
        } else {
            // Subtraction carries through the bits that `target` lacks: the next of its subsets.
            for (int a = 0;; a = mixed ? (a - target) & target : a + 1) {
                f(a, target - a);
                if (a == target) {
                    break;
                }
            }
        }
    }

    // f(a, b, w_a) for the terms of a function's plane with w_a > 0, a ascending, so that b < target.
    template <class F>
    __device__ void derivations(int target, F f) const {
        products(target, [&](int a, int b) {
            if (a > 0 && (!mixed || 2 * a > target)) {
                f(a, b, mixed ? 1.0f : float(a));
            }
        });
    }

    // n_k
    __device__ float divisor(int target) const { return mixed ? 1.0f : float(target); }

    // Planes 1 and on of y = exp x; plane k of x is at x[k * x_stride].
    __device__ void exponential(float* y, int y_stride, const float* x, int x_stride) const {
        for (int k = 1; k < planes(); k++) {
            float sum = 0;
            derivations(k, [&](int a, int b, float weight) { sum += weight * x[a * x_stride] * y[b * y_stride]; });
            y[k * y_stride] = sum / divisor(k);
        }
    }

    // y = x y; the planes that are read last are replaced first.
    __device__ void multiply_by(float* y, const float* x, int stride) const {
        for (int k = planes() - 1; k >= 0; k--) {
            float sum = 0;
            products(k, [&](int a, int b) { sum += x[a * stride] * y[b * stride]; });
            y[k * stride] = sum;
        }
    }
};

// Which planes are there.
template <class T>
__device__ inline uint32_t given(T* const (&planes)[MAX_PLANES], int count) {
    uint32_t bits = 0;
    for (int k = 0; k < count; k++) {
        bits |= uint32_t(planes[k] != nullptr) << k;
    }
    return bits;
}
