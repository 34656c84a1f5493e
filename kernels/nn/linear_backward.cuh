// SPDX-License-Identifier: Apache-2.0
// All gradients of a linear layer in one launch, by the products of gemm_tile.cuh: the first blocks have a tile of dx each,
// the others one of d_weight, of which the sum over rows is split where there are many rows. The last block of a tile to
// end adds up its splits, in order, so that a sum has the same bits on every run.
//
// d_bias is the sum of the very slices of dy that the tiles of d_weight in the first row of tiles multiply by.
#pragma once
#include "../common/last_block.cuh"
#include "gemm_tile.cuh"

template <int TILE_M, int TILE_N, int WARP_M, int WARP_N>
struct LinearBackward {
    using Tile = GemmTile<float, TILE_M, TILE_N, WARP_M, WARP_N>;
    using Matrix = GemmMatrix<float>;
    using DySlice = GemmSlice<float, TILE_N, false>;
    static constexpr int THREADS = Tile::THREADS, BLOCKS = Tile::BLOCKS;
    static_assert(TILE_N <= THREADS, "a thread has a column of d_bias");

    // Derivative of an activation by its output. Same order as org.fovea.backend.math.Activation.
    static __device__ float gradient(int activation, float y, float dy) {
        switch (activation) {
            case GemmEpilogue::TANH: return (1 - y * y) * dy;
            case GemmEpilogue::RELU: return y > 0 ? dy : 0;
            case GemmEpilogue::SIGMOID: return y * (1 - y) * dy;
            default: return dy;
        }
    }

    // f(row, column, sum) of this thread's share of the tile's elements.
    template <class F>
    static __device__ void each_sum(const Matrix& a, const Matrix& b, const float* sum_smem, F f) {
        for (int i = threadIdx.x; i < TILE_M * TILE_N; i += THREADS) {
            const int row = i / TILE_N, column = i % TILE_N;
            if (row < a.across_end && column < b.across_end) {
                const float sum = sum_smem[row * Tile::SUM_PITCH + column];
                f(row, column, is_finite(sum) ? sum : Tile::plain_sum(a, b, row, column));
            }
        }
    }

    static __device__ int tiles(int extent, int of) { return (extent + of - 1) / of; }
    static __device__ int input_tiles(int rows, int in) { return tiles(rows, TILE_M) * tiles(in, TILE_N); }
    static __device__ int weight_tiles(int in, int out) { return tiles(in, TILE_M) * tiles(out, TILE_N); }

    static __device__ void input_tile(const LinearBackwardParams& p, int tile, float* memory_smem) {
        const int tile_row = tile / tiles(p.in, TILE_N) * TILE_M, tile_column = tile % tiles(p.in, TILE_N) * TILE_N;
        const Matrix a(p.dy, p.out, true, tile_row, 0, p.rows - tile_row, p.out);
        const Matrix b(p.weight, p.out, true, tile_column, 0, p.in - tile_column, p.out);
        Tile sums;
        sums.template accumulate<true, true>(a, b, memory_smem, Precision(p.precision), [](const float*) {});
        sums.gather_sums(memory_smem);
        __syncthreads();
        each_sum(a, b, memory_smem, [&](int row, int column, float sum) {
            const int64_t at = int64_t(tile_row + row) * p.in + tile_column + column;
            const float of_output = p.added ? p.added[at] + sum : sum;
            p.dx[at] = p.activation == GemmEpilogue::NONE ? of_output : gradient(p.activation, p.x[at], of_output);
        });
    }

    // block: one of splits times the tiles of d_weight
    static __device__ void weight_tile(const LinearBackwardParams& p, int block, float* memory_smem) {
        const int of_weight = weight_tiles(p.in, p.out), tile = block % of_weight, split = block / of_weight;
        const int tile_row = tile / tiles(p.out, TILE_N) * TILE_M, tile_column = tile % tiles(p.out, TILE_N) * TILE_N;
        const int64_t row0 = int64_t(split) * p.split_depth;
        const int depth = int(min(int64_t(p.split_depth), p.rows - row0));
        const Matrix a(p.x, p.in, false, tile_row, row0, p.in - tile_row, depth);
        const Matrix b(p.dy, p.out, false, tile_column, row0, p.out - tile_column, depth);
        const bool sums_bias = p.d_bias && tile_row == 0 && threadIdx.x < TILE_N;
        float bias = 0;
        Tile sums;
        sums.template accumulate<false, false>(a, b, memory_smem, Precision(p.precision), [&](const float* slice_smem) {
            if (sums_bias) {
                float slice_sum = 0;
#pragma unroll
                for (int d = 0; d < DySlice::DEPTH; d++) {
                    slice_sum += slice_smem[d * DySlice::PITCH + threadIdx.x];
                }
                bias += slice_sum;
            }
        });
        sums.gather_sums(memory_smem);
        __syncthreads();
        const bool writes_bias = sums_bias && int(threadIdx.x) < b.across_end;
        const int64_t size = (int64_t(p.in) + 1) * p.out;  // of a split's sums
        float* const d_weight = p.splits > 1 ? p.partial + split * size : p.d_weight;
        float* const d_bias = p.splits > 1 ? d_weight + int64_t(p.in) * p.out : p.d_bias;
        each_sum(a, b, memory_smem, [&](int row, int column, float sum) {
            d_weight[int64_t(tile_row + row) * p.out + tile_column + column] = sum;
        });
        if (writes_bias) {
            d_bias[tile_column + threadIdx.x] = bias;
        }
        if (p.splits == 1 || !is_last_block(&p.counters[tile], p.splits)) {
            return;
        }
        const auto total = [&](int64_t at) {
            float sum = 0;
#pragma unroll 4
            for (int s = 0; s < p.splits; s++) {
                sum += p.partial[s * size + at];
            }
            return sum;
        };
        for (int i = threadIdx.x; i < TILE_M * TILE_N; i += THREADS) {
            const int row = i / TILE_N, column = i % TILE_N;
            if (row < a.across_end && column < b.across_end) {
                const int64_t at = int64_t(tile_row + row) * p.out + tile_column + column;
                p.d_weight[at] = total(at);
            }
        }
        if (writes_bias) {
            p.d_bias[tile_column + threadIdx.x] = total(int64_t(p.in) * p.out + tile_column + threadIdx.x);
        }
    }

    // grid.x = tiles of dx, if it is wanted, and splits times tiles of d_weight
    static __device__ void run(const LinearBackwardParams& p, float* memory_smem) {
        const int of_input = p.dx ? input_tiles(p.rows, p.in) : 0, block = int(blockIdx.x);
        if (block < of_input) {
            input_tile(p, block, memory_smem);
        } else {
            weight_tile(p, block - of_input, memory_smem);
        }
    }
};
