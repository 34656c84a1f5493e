// SPDX-License-Identifier: Apache-2.0
// The blocks of attention. org.fovea.backend.cuda.attention.AttentionSchedule lists the same instances.
//
// Tiled: a block has ROWS stationary rows of one head, 16 M to each of its four warps (or fewer), and walks over the moving
// rows, MOVING at a time. DIM bounds both head dims. With M = 2 a moving fragment is loaded once for two products.
//
// Whole head: where all of a head fits into shared memory, a block loads it once. A head has ROWS rows of threads, ROWS
// being the longer of its sequences rounded up to MOVING; a warp has 16 of them. Short heads share a block.
#pragma once
#include "product.cuh"

// Of a head, at most: enough for 128 steps behind a window of 32.
constexpr int WHOLE_HEAD_ROWS = 160;
// What the smallest supported cards grant a block.
constexpr int SHARED_BYTES = 99 * 1024;

// Threads of a block of whole heads, at most, of ROWS rows that have TILES tiles of T and SCALARS floats: two for each row of a head
// as long as shared memory allows, or of short ones together.
template <class T, int DIM, int MOVING, int TILES, int SCALARS, int ROWS = WHOLE_HEAD_ROWS>
constexpr int WHOLE_HEAD_THREADS = [] {
    const int row = TILES * TILE_PITCH<T, DIM> * int(sizeof(T)) + SCALARS * int(sizeof(float));
    const int fitting = SHARED_BYTES / row, rows = (fitting < ROWS ? fitting : ROWS) / MOVING * MOVING;
    return rows > 64 ? 2 * rows : 128;
}();

template <int DIM_, int ROWS_, int MOVING_>
struct Tiling {
    static constexpr int DIM = DIM_, ROWS = ROWS_, MOVING = MOVING_;
    static constexpr int WARPS = ROWS < 64 ? ROWS / 16 : 4, THREADS = 32 * WARPS;
    static constexpr int M = ROWS / 16 / WARPS;
    static_assert(M * 16 * WARPS == ROWS && MOVING % 16 == 0);
};

// Buffers for moving tiles: two, of which one fills while the other is used, unless rows are too long for that.
template <class T, int DIM>
constexpr int STAGES_OF = DIM * sizeof(T) < 512 ? 2 : 1;

// Walks over the tiles of N moving rows that have one in `span`. load(row0, stage) starts to load a tile into a buffer;
// suspect(row0, stage) is asked, after what this thread loads has arrived, and if any thread affirms, use(row0, stage,
// guarded) hears of it.
template <int STAGES, int N, class Load, class Suspect, class Use>
__device__ void for_each_tile(Span span, Load load, Suspect suspect, Use use) {
    const int first = span.first / N * N;
    int stage = 0;
    if (STAGES == 2 && first < span.last) {
        load(first, 0);
    }
    async_commit();
    for (int row0 = first; row0 < span.last; row0 += N) {
        if (STAGES == 1) {
            __syncthreads();  // the last tile was used
            load(row0, 0);
            async_commit();
        }
        async_wait<0>();
        const bool guarded = __syncthreads_or(suspect(row0, stage));  // the tile is there, and the last one was used
        if (STAGES == 2 && row0 + N < span.last) {
            load(row0 + N, 1 - stage);
            async_commit();
        }
        use(row0, stage, guarded);
        stage = STAGES - 1 - stage;
    }
    async_wait<0>();  // without tiles, what was started before
    __syncthreads();
}

// The tile of stationary rows of this block, and of them the rows of this warp.
template <class TILING>
struct StationaryRows {
    int head_index, batch, head;  // head_index = batch * heads + head, of the heads of the rows
    Span block, warp;
    int warp_row;                 // the warp's first in the tile
    int part;                     // of the columns, where several blocks have the same rows

    __device__ StationaryRows(int heads, int rows, int parts = 1) {
        const int tiles = (rows + TILING::ROWS - 1) / TILING::ROWS, block_index = blockIdx.x / parts;
        part = blockIdx.x % parts;
        head_index = block_index / tiles;
        batch = head_index / heads;
        head = head_index % heads;
        const int row0 = (tiles - 1 - block_index % tiles) * TILING::ROWS;  // the long ones of a causal mask first
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
