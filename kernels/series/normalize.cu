// SPDX-License-Identifier: Apache-2.0
// Rows on the unit sphere, over a ring of series, for cosine similarity, and the gradient of that. With n = x . x:
//
//   r = n^(-1/2)     2 r' n = - r n':    n_0 r_k = - (sum of w_a n_a r_b / 2 + sum over a < k of w_a r_a n_b) / n_k
//   y = r x          dx = r (dy - y (y . dy))
//
// A row of zeros stays one, and so does its gradient. Rows are scaled by a power of two first, so that squares of small and
// of large numbers are numbers. Where the gradient for y is 0, that for x is, whatever the row holds. A warp per row.
#include "../common/rows.cuh"
#include "tile.cuh"

constexpr int NORMALIZE_WARPS = SERIES_THREADS / 32;

struct NormalizedRow {
    const AttentionNormalizeParams& p;
    const SeriesRing<0> ring{p.planes, p.mixed != 0};
    const int lane = threadIdx.x % 32;
    const int64_t row = int64_t(blockIdx.x) * NORMALIZE_WARPS + threadIdx.x / 32;

    __device__ int64_t at(int column) const { return row * p.width + column; }
    __device__ float* y(int k) const { return p.y + k * p.rows * p.width; }
    __device__ float* d_y(int k) const { return p.d_y + k * p.rows * p.width; }
    __device__ float& inverse(int k) const { return p.inverse[k * p.rows + row]; }

    // f(column) for this lane's columns.
    template <class F>
    __device__ void each(F f) const {
        for (int column = lane; column < p.width; column += 32) {
            f(column);
        }
    }
};

// grid.x = rows / NORMALIZE_WARPS, rounded up
extern "C" __global__ void __launch_bounds__(SERIES_THREADS, 1) attention_series_normalize(
    const __grid_constant__ AttentionNormalizeParams p) {
    SHARED(float, square_smem, [NORMALIZE_WARPS][MAX_PLANES]);
    SHARED(float, inverse_smem, [NORMALIZE_WARPS][MAX_PLANES]);
    const NormalizedRow r{p};
    float* const square = square_smem[threadIdx.x / 32];
    float* const inverse = inverse_smem[threadIdx.x / 32];
    if (r.row >= p.rows) {
        return;
    }
    const auto x = [&](int k, int column) {
        const void* const plane = p.x[k];
        return plane ? element(plane, r.at(column), p.storage) : 0;
    };
    float largest = 0;
    r.each([&](int column) { largest = Maximum::fold(largest, fabsf(x(0, column))); });
    largest = fold_lanes<Maximum>(largest, 32);
    const float scale = largest > 0 && is_finite(largest) ? ldexpf(1, -min(max(ilogbf(largest), -126), 126)) : 1;
    for (int k = 0; k < p.planes; k++) {
        float sum = 0;
        r.ring.products(k, [&](int a, int b) {
            r.each([&](int column) { sum += x(a, column) * scale * (x(b, column) * scale); });
        });
        sum = fold_lanes<Sum>(sum, 32);
        if (r.lane == 0) {
            square[k] = sum;
            float rest = 0;
            r.ring.derivations(k, [&](int a, int b, float weight) {
                rest += weight * (0.5f * square[a] * inverse[b] + (b > 0 ? inverse[a] * square[b] : 0));
            });
            const float coefficient = k == 0 ? 1 / sqrtf(sum) : -rest / (r.ring.divisor(k) * square[0]);
            inverse[k] = largest == 0 ? 0 : coefficient;
        }
    }
    __syncwarp();
    for (int k = 0; k < p.planes; k++) {
        r.each([&](int column) {
            float sum = 0;
            r.ring.products(k, [&](int a, int b) { sum += x(a, column) * scale * inverse[b]; });
            r.y(k)[r.at(column)] = largest == 0 ? 0 : sum;
        });
        if (r.lane == 0) {
            r.inverse(k) = scale * inverse[k];
        }
    }
}
REGISTER_KERNEL(attention_series_normalize)

// grid.x as above
extern "C" __global__ void __launch_bounds__(SERIES_THREADS) attention_series_normalize_backward(
    const __grid_constant__ AttentionNormalizeParams p) {
    SHARED(float, radial_smem, [NORMALIZE_WARPS][MAX_PLANES]);  // y . dy
    const NormalizedRow r{p};
    float* const radial = radial_smem[threadIdx.x / 32];
    if (r.row >= p.rows) {
        return;
    }
    float any = 0;
    for (int k = 0; k < p.planes; k++) {
        float sum = 0;
        r.ring.products(k, [&](int a, int b) {
            r.each([&](int column) { sum += r.y(a)[r.at(column)] * r.d_y(b)[r.at(column)]; });
        });
        r.each([&](int column) { any = r.d_y(k)[r.at(column)] == 0 ? any : 1; });
        sum = fold_lanes<Sum>(sum, 32);
        if (r.lane == 0) {
            radial[k] = sum;
        }
    }
    __syncwarp();
    const bool none = fold_lanes<Maximum>(any, 32) == 0;
    r.each([&](int column) {
        const int64_t i = r.at(column);
        for (int k = 0; k < p.planes; k++) {
            float rest = r.d_y(k)[i];
            r.ring.products(k, [&](int a, int b) { rest -= r.y(a)[i] * radial[b]; });
            r.d_y(k)[i] = rest;
        }
        for (int k = 0; k < p.planes; k++) {
            float sum = 0;
            r.ring.products(k, [&](int a, int b) { sum += r.inverse(a) * r.d_y(b)[i]; });
            void* const d_x = p.d_x[k];
            if (d_x) {
                store_element(d_x, i, p.storage, none ? 0 : sum);
            }
        }
    });
}
REGISTER_KERNEL(attention_series_normalize_backward)
