// How attention is cut into blocks. org.fovea.backend.cuda.AttentionSchedule lists the same instances.
//
// Tiled: a block of four warps has ROWS stationary rows of one head, 16 M to a warp, and walks over the moving rows,
// MOVING at a time. DIM bounds both head dims. With M = 2 a moving fragment is loaded once for two products.
//
// Whole head: where all of a head fits into shared memory, a block loads it once. A head has ROWS rows of threads, ROWS
// being the longer of its sequences rounded up to MOVING; a warp has 16 of them. Short heads share a block.
#pragma once
#include "product.cuh"

constexpr int ATTENTION_THREADS = 128;
constexpr int WHOLE_HEAD_THREADS = 256;  // at most

template <int DIM_, int ROWS_, int MOVING_>
struct Tiling {
    static constexpr int DIM = DIM_, ROWS = ROWS_, MOVING = MOVING_;
    static constexpr int M = ROWS / 16 / (ATTENTION_THREADS / 32);
    static_assert(M * 16 * (ATTENTION_THREADS / 32) == ROWS && MOVING % 16 == 0);
};

// The tile of stationary rows of this block, and of them the rows of this warp.
template <class TILING>
struct StationaryRows {
    int head_index, batch, head;  // head_index = batch * heads + head
    Span block, warp;
    int warp_row;                 // the warp's first in the tile

    __device__ StationaryRows(const AttentionParams& p, int rows) {
        const int tiles = (rows + TILING::ROWS - 1) / TILING::ROWS;
        head_index = blockIdx.x / tiles;
        batch = head_index / p.heads;
        head = head_index % p.heads;
        const int row0 = (tiles - 1 - int(blockIdx.x % tiles)) * TILING::ROWS;  // the long ones of a causal mask first
        warp_row = threadIdx.x / 32 * 16 * TILING::M;
        block = {row0, min(row0 + TILING::ROWS, rows)};
        warp = {row0 + warp_row, min(row0 + warp_row + 16 * TILING::M, rows)};
    }
};

// The head of this thread in a block that may have several.
template <int MOVING>
struct WholeHead {
    int rows;  // of each of its tiles
    int slot;  // in the block
    int head_index, batch, head;
    bool exists;  // not so in the last block's surplus slots, which load zeros and store nothing
    Team team;
    int row0;  // of the 16 rows of this warp

    __device__ explicit WholeHead(const AttentionParams& p) {
        rows = (max(p.queries, p.keys) + MOVING - 1) / MOVING * MOVING;
        const int threads = 2 * rows, heads = p.batch * p.heads;
        slot = threadIdx.x / threads;
        team = {int(threadIdx.x) % threads, threads};
        row0 = team.rank / 32 * 16;
        const int index = blockIdx.x * (blockDim.x / threads) + slot;
        exists = index < heads;
        head_index = exists ? index : heads - 1;
        batch = head_index / p.heads;
        head = head_index % p.heads;
    }
};
