// SPDX-License-Identifier: Apache-2.0
// Kernels with one defect each, which the simulator must catch.
#include "planted.h"

#include "mma.cuh"

#define KERNEL(name)                                                          \
    extern "C" __global__ void name(const __grid_constant__ PlantedParams p); \
    REGISTER_KERNEL(name)                                                     \
    extern "C" __global__ void name(const __grid_constant__ PlantedParams p)

// ---- accesses out of bounds; p.at is the index to touch

KERNEL(planted_global_write) {
    if (threadIdx.x == 0) {
        p.out[p.at] = 1;
    }
}

KERNEL(planted_global_read) {
    if (threadIdx.x == 0) {
        p.out[0] = p.out[p.at];
    }
}

KERNEL(planted_static_shared_write) {
    SHARED(float, tile, [30]);
    if (threadIdx.x == 0) {
        float* const elements = tile;  // hides the extent from UBSan, which would come first
        elements[p.at] = 1;
        p.out[0] = tile[0];
    }
}

KERNEL(planted_static_shared_read) {
    SHARED(float, tile, [30]);
    if (threadIdx.x < 30) {
        tile[threadIdx.x] = 1;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        const float* const elements = tile;
        p.out[0] = elements[p.at];
    }
}

KERNEL(planted_dynamic_shared_write) {
    SHARED_DYNAMIC(float, memory);
    if (threadIdx.x == 0) {
        memory[p.at] = 1;
    }
}

KERNEL(planted_dynamic_shared_read) {
    SHARED_DYNAMIC(float, memory);
    if (threadIdx.x == 0) {
        p.out[0] = memory[p.at];
    }
}

KERNEL(planted_too_much_shared) {
    SHARED(float, tile, [26 * 1024]);
    p.out[threadIdx.x] = tile[threadIdx.x] = 1;
}

// ---- missing and divergent synchronisation

// Reverses through shared memory without waiting for the other half.
KERNEL(planted_missing_barrier) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = threadIdx.x;
    p.out[threadIdx.x] = tile[p.at - 1 - threadIdx.x];
}

// Sums twice through one tile; the second round overwrites it while the first is still read.
KERNEL(planted_missing_second_barrier) {
    SHARED(float, tile, [64]);
    float sum = 0;
    for (int round = 1; round <= 2; round++) {
        tile[threadIdx.x] = round * (threadIdx.x + 1);
        __syncthreads();
        sum += tile[p.at - 1 - threadIdx.x];
    }
    p.out[threadIdx.x] = sum;
}

// A barrier of each warp where one of the block is needed: thread 0 reads what the second warp writes. Orders of threads
// don't show it, since every thread comes to its warp's barrier first.
KERNEL(planted_warp_barrier) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = 1;
    __syncwarp();
    if (threadIdx.x == 0) {
        p.out[0] = tile[p.at - 1];
    }
}

// Lanes exchange through shared memory with no __syncwarp() between.
KERNEL(planted_missing_warp_barrier) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = threadIdx.x;
    p.out[threadIdx.x] = tile[threadIdx.x ^ 1];
}

// Every block adds to what the one before it has left.
KERNEL(planted_dependent_blocks) {
    if (threadIdx.x == 0) {
        p.out[blockIdx.x] = blockIdx.x == 0 ? 1 : p.out[blockIdx.x - 1] + 1;
    }
}

KERNEL(planted_divergent_barrier) {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    p.out[threadIdx.x] = 1;
}

// Half a warp waits for lanes that have returned.
KERNEL(planted_stuck_shuffle) {
    if (threadIdx.x % 32 >= 16) {
        return;
    }
    p.out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFF, 1.0f, 16);
}

// ---- reads of what was never written

KERNEL(planted_uninitialised_static) {
    SHARED(float, tile, [64]);
    p.out[threadIdx.x] = tile[threadIdx.x];
}

KERNEL(planted_uninitialised_dynamic) {
    SHARED_DYNAMIC(float, memory);
    p.out[threadIdx.x] = memory[threadIdx.x];
}

KERNEL(planted_uninitialised_global) {
    p.out[threadIdx.x] += 1;
}

// ---- asynchronous copies

// Reads what was asked for with no wait for it.
KERNEL(planted_forgotten_wait) {
    SHARED(float, tile, [64]);
    if (threadIdx.x < 16) {
        async_copy(&tile[4 * threadIdx.x], &p.out[4 * threadIdx.x]);
        async_commit();
    }
    __syncthreads();
    p.out[threadIdx.x] = tile[threadIdx.x];
    __syncthreads();
    async_wait<0>();
}

// Waits for one group of copies too few.
KERNEL(planted_late_wait) {
    SHARED(float, tile, [64]);
    if (threadIdx.x < 16) {
        async_copy(&tile[4 * threadIdx.x], &p.out[4 * threadIdx.x]);
        async_commit();
        async_wait<1>();
    }
    __syncthreads();
    p.out[threadIdx.x] = tile[threadIdx.x];
    __syncthreads();
    async_wait<0>();
}

// Asks for the next tile while others still read the one before it.
KERNEL(planted_early_copy) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = 1;
    __syncthreads();
    const float before = tile[p.at - 1 - threadIdx.x];
    if (threadIdx.x < 16) {
        async_copy(&tile[4 * threadIdx.x], &p.out[4 * threadIdx.x]);
        async_commit();
        async_wait<0>();
    }
    __syncthreads();
    p.out[threadIdx.x] = before + tile[threadIdx.x];
}

// Starts to load a tile that nobody needs and puts its place to another use, after a wait that is for committed copies alone.
KERNEL(planted_forgotten_commit) {
    SHARED(float, tile, [64]);
    if (threadIdx.x < 16) {
        async_copy(&tile[4 * threadIdx.x], &p.out[4 * threadIdx.x]);
    }
    async_wait<0>();
    __syncthreads();
    tile[threadIdx.x] = 1;
    __syncthreads();
    const float read = tile[p.at - 1 - threadIdx.x];
    __syncthreads();
    async_commit();
    async_wait<0>();
    __syncthreads();
    p.out[threadIdx.x] = read;
}

// Ends with copies that the threads from p.at on have committed and the others have not, and nobody waits for.
KERNEL(planted_copies_in_flight) {
    SHARED(float, tile, [64]);
    const int thread = threadIdx.x;
    if (thread < 16) {
        async_copy(&tile[4 * thread], &p.out[4 * thread]);
        if (thread >= p.at) {
            async_commit();
        }
    }
}

// Right, in one block: each of its two barriers is needed. A test takes them out.
KERNEL(planted_nothing) {
    SHARED(float, tile, [64]);
    float sum = 0;
    for (int round = 1; round <= 2; round++) {
        tile[threadIdx.x] = round * (threadIdx.x + 1);
        __syncthreads();
        sum += tile[p.at - 1 - threadIdx.x] + __shfl_xor_sync(0xFFFFFFFF, sum, 1);
        __syncthreads();
    }
    p.out[threadIdx.x] = sum;
}
