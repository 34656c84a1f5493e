// SPDX-License-Identifier: Apache-2.0
// Rows added to a table by index: table[indices[i], :] += rows[i, :]. No atomics: the order of the additions depends on the
// indices alone, so the sum is the same on every run.
//
//   scatter_chunks   cuts the rows into chunks of CHUNK, sorts a chunk's indices, and adds up its rows of one index, RUN
//                    sorted places at a time and then run after run: the sum lies in partial at the index's first place
//   scatter_table    for each row of the table finds its place in every chunk, and adds their sums
#include "../common/rows.cuh"
#include "params.h"

constexpr int CHUNK = ROW_THREADS;
constexpr int RUN = WARP_LANES;
constexpr int RUN_LOADS = 8;           // rows of a run that are on their way at a time
constexpr int32_t NO_ROW = INT32_MAX;  // key of a row whose index is outside the table; it sorts last

// The first place of `key` in a chunk's sorted keys, or -1.
__device__ inline int find_key(const int32_t* keys, int count, int32_t key) {
    int low = 0, high = count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (keys[middle] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && keys[low] == key ? low : -1;
}

// A block has a chunk, a warp a run.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) scatter_chunks(const __grid_constant__ ScatterParams p) {
    SHARED(int32_t, key_smem, [CHUNK]);
    SHARED(int32_t, sorted_smem, [CHUNK]);
    SHARED(int32_t, source_smem, [CHUNK]);
    const int64_t first = int64_t(blockIdx.x) * CHUNK;
    const int count = int(min(int64_t(CHUNK), p.count - first)), thread = threadIdx.x;
    if (thread < count) {
        const int32_t index = p.indices[first + thread];
        key_smem[thread] = index >= 0 && index < p.table_rows ? index : NO_ROW;
    }
    __syncthreads();
    if (thread < count) {
        const int32_t key = key_smem[thread];
        int place = 0;
#pragma unroll 8
        for (int other = 0; other < count; other++) {
            place += key_smem[other] < key || (key_smem[other] == key && other < thread);
        }
        sorted_smem[place] = key;
        source_smem[place] = thread;
        p.keys[first + place] = key;
    }
    __syncthreads();
    const int begin = thread / RUN * RUN, end = min(begin + RUN, count);
    for (int64_t column = thread % RUN; column < p.width; column += RUN) {
        float sum = 0;
        int head = begin;
        for (int start = begin; start < end; start += RUN_LOADS) {
            float row[RUN_LOADS];
#pragma unroll
            for (int k = 0; k < RUN_LOADS; k++) {
                row[k] = start + k < end ? p.rows[(first + source_smem[start + k]) * p.width + column] : 0;
            }
#pragma unroll
            for (int k = 0; k < RUN_LOADS; k++) {
                const int place = start + k;
                if (place < end && sorted_smem[place] != sorted_smem[head]) {
                    p.partial[(first + head) * p.width + column] = sum;
                    sum = 0;
                    head = place;
                }
                sum += row[k];
            }
        }
        if (begin < end) {
            p.partial[(first + head) * p.width + column] = sum;
        }
    }
    __syncthreads();
    for (int64_t column = thread; column < p.width; column += ROW_THREADS) {
        for (int start = RUN; start < count; start += RUN) {
            if (sorted_smem[start] == sorted_smem[start - 1]) {  // goes on from the run before
                const int head = find_key(sorted_smem, count, sorted_smem[start]);
                p.partial[(first + head) * p.width + column] += p.partial[(first + start) * p.width + column];
            }
        }
    }
}
REGISTER_KERNEL(scatter_chunks)

// `splits` blocks share a row's columns. A thread looks in one chunk of ROW_THREADS; a warp adds up 32 chunks, in order.
extern "C" __global__ void __launch_bounds__(ROW_THREADS) scatter_table(const __grid_constant__ ScatterParams p) {
    SHARED(int32_t, place_smem, [ROW_THREADS]);
    SHARED(float, sum_smem, [ROW_WARPS][WARP_LANES]);
    const int warp = threadIdx.x / WARP_LANES, lane = threadIdx.x % WARP_LANES;
    const int64_t chunks = (p.count + CHUNK - 1) / CHUNK;
    for (int64_t block = blockIdx.x; block < p.table_rows * p.splits; block += gridDim.x) {
        const int64_t row = block / p.splits;
        for (int64_t round = 0; round < chunks; round += ROW_THREADS) {
            const int64_t chunk = round + threadIdx.x;
            const int count = int(min(int64_t(CHUNK), p.count - chunk * CHUNK));
            const int place = chunk < chunks ? find_key(p.keys + chunk * CHUNK, count, int32_t(row)) : -1;
            place_smem[threadIdx.x] = place;
            if (!__syncthreads_or(place >= 0)) {
                continue;
            }
            for (int64_t tile = block % p.splits * WARP_LANES; tile < p.width; tile += p.splits * WARP_LANES) {
                const int64_t column = tile + lane;
                float sum = 0;
#pragma unroll 8
                for (int c = warp * WARP_LANES; c < (warp + 1) * WARP_LANES; c++) {
                    if (place_smem[c] >= 0 && column < p.width) {
                        sum += p.partial[((round + c) * CHUNK + place_smem[c]) * p.width + column];
                    }
                }
                sum_smem[warp][lane] = sum;
                __syncthreads();
                if (warp == 0 && column < p.width) {
#pragma unroll
                    for (int w = 1; w < ROW_WARPS; w++) {
                        sum += sum_smem[w][lane];
                    }
                    p.table[row * p.width + column] += sum;
                }
                __syncthreads();
            }
        }
    }
}
REGISTER_KERNEL(scatter_table)
