// SPDX-License-Identifier: Apache-2.0
// Rotary position encoding (Su et al. 2021, arXiv:2104.09864), pairs (i, i + half) of every head:
//
//   angle = sign position base^(-i / half)
//   y_i = x_i cos(angle) - x_{i+half} sin(angle)      y_{i+half} = x_i sin(angle) + x_{i+half} cos(angle)
//
// A frequency is kept in turns, as a 64-bit fraction. Its product with the position wraps at whole turns, so the angle is
// exact to 2^-64 turns a position, where float32 would lose a digit with every digit of the position.
#include "../common/cuda.cuh"
#include "params.h"

constexpr int ROTARY_THREADS = 256;
constexpr int HEADS_AT_ONCE = 4;  // read before any is written, as y may be x and the compiler must keep that order

__device__ inline uint64_t fraction_of_turn(double log2_base, int i, int half) {
    const double turns = exp2(-log2_base * i / half) * 0.15915494309189535;  // 1 / (2 pi)
    return uint64_t((turns - floor(turns)) * 0x1p63) << 1;
}

// A thread keeps one pair of a head and walks over rows: its frequency is worked out once. A block has as many rows at a
// time as it has threads for their pairs, or one row and a part of its pairs.
extern "C" __global__ void __launch_bounds__(ROTARY_THREADS) rotary(const __grid_constant__ RotaryParams p) {
    const int pairs = min(p.half, ROTARY_THREADS), rows = ROTARY_THREADS / pairs;
    const int parts = (p.half + pairs - 1) / pairs;
    const int i = int(blockIdx.x) % parts * pairs + int(threadIdx.x) % pairs, row_of_block = threadIdx.x / pairs;
    if (i >= p.half || row_of_block >= rows) {
        return;
    }
    const uint64_t frequency = fraction_of_turn(p.log2_base, i, p.half);
    const int64_t step = int64_t(gridDim.x) / parts * rows, first_row = int64_t(blockIdx.x) / parts * rows + row_of_block;
    // The rows of all arrays are walked through as if they were one's.
    for (int64_t of_all = first_row; of_all < p.rows[0] + p.rows[1]; of_all += step) {
        const int array = of_all < p.rows[0] ? 0 : 1;
        const int64_t row = array == 0 ? of_all : of_all - p.rows[0];
        const int64_t fraction = int64_t(uint64_t(int64_t(p.positions[array][row]) * p.sign) * frequency);
        float sine, cosine;
        sincospif(float(fraction) * 0x1p-63f, &sine, &cosine);
        float* y = p.y[array] + row * p.heads * 2 * p.half + i;
        const float* x = p.x[array] + row * p.heads * 2 * p.half + i;
        for (int head = 0; head < p.heads; head += HEADS_AT_ONCE) {
            float first[HEADS_AT_ONCE], second[HEADS_AT_ONCE];
#pragma unroll
            for (int k = 0; k < HEADS_AT_ONCE; k++) {
                const int64_t at = int64_t(head + k) * 2 * p.half;
                first[k] = head + k < p.heads ? x[at] : 0;
                second[k] = head + k < p.heads ? x[at + p.half] : 0;
            }
#pragma unroll
            for (int k = 0; k < HEADS_AT_ONCE; k++) {
                if (head + k < p.heads) {
                    const int64_t at = int64_t(head + k) * 2 * p.half;
                    y[at] = first[k] * cosine - second[k] * sine;
                    y[at + p.half] = first[k] * sine + second[k] * cosine;
                }
            }
        }
    }
}
REGISTER_KERNEL(rotary)
