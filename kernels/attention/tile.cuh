// SPDX-License-Identifier: Apache-2.0
// Rows of a head on their way between global memory and tiles in shared memory, [ROWS][TILE_PITCH] of fragments.cuh. All
// goes in pieces of 16 bytes where the rows allow that, else element by element. What a tile has beyond the rows and
// columns there are is 0.
#pragma once
#include "../common/fragments.cuh"
#include "params.h"

// The row and the column of an accumulator x[m][n][2 half + second] of this lane.
__device__ inline int lane_row(int m, int half) { return 16 * m + 8 * half + threadIdx.x % 32 / 4; }
__device__ inline int lane_column(int n, int second) { return 8 * n + threadIdx.x % 4 * 2 + second; }

// The rows of one head of an array in global memory.
template <class T>
struct Rows {
    T* first;
    int64_t stride;
    int count;
    int dim;

    // Whether rows consist of whole pieces.
    __device__ bool aligned() const {
        return (reinterpret_cast<uintptr_t>(first) | uintptr_t(stride) * sizeof(T) | unsigned(dim) * sizeof(T)) % 16 == 0;
    }
};

// Queries and their gradients; keys; values; outputs. T is const where they are read. The head of keys and values is that
// of a query over p.group.
template <class T, class V>
__device__ Rows<T> query_rows(const AttentionParams& p, V* array, int batch, int head) {
    return {static_cast<T*>(array) + batch * p.query_batch_stride + head * p.query_head_stride, p.query_row_stride, p.queries,
            p.head_dim};
}
template <class T, class V>
__device__ Rows<T> key_rows(const AttentionParams& p, V* array, int batch, int head) {
    return {static_cast<T*>(array) + batch * p.key_batch_stride + head * p.key_head_stride, p.key_row_stride, p.keys, p.head_dim};
}
template <class T, class V>
__device__ Rows<T> value_rows(const AttentionParams& p, V* array, int batch, int head) {
    return {static_cast<T*>(array) + batch * p.value_batch_stride + head * p.value_head_stride, p.value_row_stride, p.keys,
            p.value_dim};
}
template <class T, class V>
__device__ Rows<T> output_rows(const AttentionParams& p, V* array, int batch, int head) {
    return {static_cast<T*>(array) + batch * p.output_batch_stride + head * p.output_head_stride, p.output_row_stride, p.queries,
            p.value_dim};
}

// Elements in 16 bytes.
template <class T>
constexpr int PIECE = 16 / int(sizeof(T));

// The threads that share a piece of work, of which this one is number `rank`.
struct Team {
    int rank, size;
};

// The pieces of a tile that a thread of a team has: of the rows row, row + leap, ... those in `column`, and in ACROSS pieces from there.
template <class T, int DIM>
struct TilePieces {
    static constexpr int PIECES = DIM / PIECE<T>, ACROSS = PIECES < 32 ? PIECES : 32, TIMES = PIECES / ACROSS;  // teams are of whole warps
    static constexpr int APART = ACROSS * PIECE<T>;  // elements

    const int row, column, leap;

    // Found anew for each tile, which takes no registers all through a loop.
    __device__ explicit TilePieces(Team team) : TilePieces(opaque(team.rank), team.size) {}
    __device__ TilePieces(int rank, int size) : row(rank / ACROSS), column(rank % ACROSS * PIECE<T>), leap(size / ACROSS) {}
};

// Starts to load `count` rows from row0 on, those below `end` from memory and the rest as 0. They are there for the team
// after async_commit(), async_wait() and a barrier.
template <class T, int DIM>
__device__ void load_tile(T* tile_smem, const Rows<const T>& rows, int row0, int count, int end, Team team) {
    constexpr int PITCH = TILE_PITCH<T, DIM>;
    using Pieces = TilePieces<T, DIM>;
    const Pieces own(team);
    const int there = min(end - row0, count);
    const int64_t step = own.leap * rows.stride;
    const bool aligned = rows.aligned();
#pragma unroll 1
    for (int i = 0; i < Pieces::TIMES; i++) {
        const int column = own.column + i * Pieces::APART;
        const T* from = rows.first + (row0 + own.row) * rows.stride + column;
        T* to_smem = tile_smem + own.row * PITCH + column;
        int row = own.row;
        if (aligned && column < rows.dim) {
#pragma unroll 4
            for (; row < there; row += own.leap) {
                async_copy(to_smem, from);
                from += step;
                to_smem += own.leap * PITCH;
            }
        } else if (column < rows.dim) {
#pragma unroll 1
            for (; row < there; row += own.leap) {
#pragma unroll 1
                for (int e = 0; e < PIECE<T>; e++) {
                    to_smem[e] = column + e < rows.dim ? from[e] : T{};
                }
                from += step;
                to_smem += own.leap * PITCH;
            }
        }
#pragma unroll 1
        for (; row < count; row += own.leap) {
            *reinterpret_cast<uint4*>(to_smem) = {0, 0, 0, 0};
            to_smem += own.leap * PITCH;
        }
    }
}

// Whether all of a tile that this thread loaded is finite; after its async_wait(), with the arguments of load_tile.
template <class T, int DIM>
__device__ bool finite_tile(const T* tile_smem, int count, Team team) {
    using Pieces = TilePieces<T, DIM>;
    constexpr uint32_t EXPONENT = std::is_same_v<T, F16> ? 0x7C00 : 0x7F80;
    const Pieces own(team);
    const T* x_smem = tile_smem + own.row * TILE_PITCH<T, DIM> + own.column;
    bool finite = true;
#pragma unroll 1
    for (int row = own.row; row < count; row += own.leap) {
#pragma unroll
        for (int i = 0; i < Pieces::TIMES; i++) {
            const uint4 piece = *reinterpret_cast<const uint4*>(x_smem + i * Pieces::APART);
            for (uint32_t word : {piece.x, piece.y, piece.z, piece.w}) {
                finite &= (word & EXPONENT << 16) != EXPONENT << 16;
                if constexpr (sizeof(T) == 2) {
                    finite &= (word & EXPONENT) != EXPONENT;
                }
            }
        }
        x_smem += own.leap * TILE_PITCH<T, DIM>;
    }
    return finite;
}

// The same factor for every row.
template <int M>
struct RowFactors {
    float of[M][2];
    __device__ explicit RowFactors(float factor) {
#pragma unroll
        for (int m = 0; m < M; m++) {
            of[m][0] = of[m][1] = factor;
        }
    }
};

// The accumulators x times `factor` per row become rows row0, row0 + 1, ... and columns column0, ... of `to`. They are
// put in order in stage_smem, rows of a tile of pitch DIM that no other warp uses.
template <class T, int DIM, int M, int FRAGMENTS>
__device__ void store_rows(const Rows<T>& to, int row0, int column0, const float (&x)[M][FRAGMENTS][4],
                           const float (&factor)[M][2], T* stage_smem) {
    constexpr int PITCH = TILE_PITCH<T, DIM>, PIECES = 8 * FRAGMENTS / PIECE<T>;
    const int lane = threadIdx.x % 32;
    __syncwarp();  // the other lanes have read what lay there
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            T* row_smem = stage_smem + (16 * m + 8 * half + lane / 4) * PITCH + lane % 4 * 2;
#pragma unroll
            for (int f = 0; f < FRAGMENTS; f++) {
                const float first = x[m][f][2 * half] * factor[m][half], second = x[m][f][2 * half + 1] * factor[m][half];
                if constexpr (std::is_same_v<T, float>) {
                    *reinterpret_cast<float2*>(row_smem + 8 * f) = {first, second};
                } else {
                    *reinterpret_cast<uint32_t*>(row_smem + 8 * f) = Fragments<T>::pack(first, second);
                }
            }
        }
    }
    __syncwarp();
    const bool aligned = to.aligned();
#pragma unroll 2
    for (int i = lane; i < 16 * M * PIECES; i += 32) {
        const int row = i / PIECES, column = i % PIECES * PIECE<T>;
        if (row0 + row >= to.count || column0 + column >= to.dim) {
            continue;
        }
        const T* from_smem = stage_smem + row * PITCH + column;
        T* target = to.first + (row0 + row) * to.stride + column0 + column;
        if (aligned) {
            *reinterpret_cast<uint4*>(target) = *reinterpret_cast<const uint4*>(from_smem);
        } else {
            for (int e = 0; e < min(PIECE<T>, to.dim - column0 - column); e++) {
                target[e] = from_smem[e];
            }
        }
    }
}

// The same from where the accumulators are, with no place in shared memory to put them in order.
template <class T, int M, int FRAGMENTS>
__device__ void store_fragments(const Rows<T>& to, int row0, const float (&x)[M][FRAGMENTS][4], const float (&factor)[M][2]) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = opaque(row0) + lane_row(m, half), column0 = opaque(lane_column(0, 0));  // found anew for each row
#pragma unroll
            for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
                for (int second = 0; second < 2; second++) {
                    const int column = column0 + 8 * f + second;
                    if (row < to.count && column < to.dim) {
                        store(&to.first[row * to.stride + column], x[m][f][2 * half + second] * factor[m][half]);
                    }
                }
            }
        }
    }
}
