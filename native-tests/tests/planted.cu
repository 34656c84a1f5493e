// Kernels with one defect each, which the simulator must catch.
#include "planted.h"

#include "mma.cuh"

// ---- accesses out of bounds; p.at is the index to touch

extern "C" __global__ void planted_global_write(const __grid_constant__ PlantedParams p) {
    if (threadIdx.x == 0) {
        p.out[p.at] = 1;
    }
}
REGISTER_KERNEL(planted_global_write)

extern "C" __global__ void planted_global_read(const __grid_constant__ PlantedParams p) {
    if (threadIdx.x == 0) {
        p.out[0] = p.out[p.at];
    }
}
REGISTER_KERNEL(planted_global_read)

extern "C" __global__ void planted_static_shared_write(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [30]);
    if (threadIdx.x == 0) {
        float* const elements = tile;  // hides the extent from UBSan, which would come first
        elements[p.at] = 1;
        p.out[0] = tile[0];
    }
}
REGISTER_KERNEL(planted_static_shared_write)

extern "C" __global__ void planted_static_shared_read(const __grid_constant__ PlantedParams p) {
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
REGISTER_KERNEL(planted_static_shared_read)

extern "C" __global__ void planted_dynamic_shared_write(const __grid_constant__ PlantedParams p) {
    SHARED_DYNAMIC(float, memory);
    if (threadIdx.x == 0) {
        memory[p.at] = 1;
    }
}
REGISTER_KERNEL(planted_dynamic_shared_write)

extern "C" __global__ void planted_dynamic_shared_read(const __grid_constant__ PlantedParams p) {
    SHARED_DYNAMIC(float, memory);
    if (threadIdx.x == 0) {
        p.out[0] = memory[p.at];
    }
}
REGISTER_KERNEL(planted_dynamic_shared_read)

extern "C" __global__ void planted_too_much_shared(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [26 * 1024]);
    p.out[threadIdx.x] = tile[threadIdx.x] = 1;
}
REGISTER_KERNEL(planted_too_much_shared)

// ---- missing and divergent synchronisation

// Reverses through shared memory without waiting for the other half.
extern "C" __global__ void planted_missing_barrier(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = threadIdx.x;
    p.out[threadIdx.x] = tile[p.at - 1 - threadIdx.x];
}
REGISTER_KERNEL(planted_missing_barrier)

// Sums twice through one tile; the second round overwrites it while the first is still read.
extern "C" __global__ void planted_missing_second_barrier(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    float sum = 0;
    for (int round = 1; round <= 2; round++) {
        tile[threadIdx.x] = round * (threadIdx.x + 1);
        __syncthreads();
        sum += tile[p.at - 1 - threadIdx.x];
    }
    p.out[threadIdx.x] = sum;
}
REGISTER_KERNEL(planted_missing_second_barrier)

// A barrier of each warp where one of the block is needed: thread 0 reads what the second warp writes. Orders of threads
// don't show it, since every thread comes to its warp's barrier first.
extern "C" __global__ void planted_warp_barrier(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = 1;
    __syncwarp();
    if (threadIdx.x == 0) {
        p.out[0] = tile[p.at - 1];
    }
}
REGISTER_KERNEL(planted_warp_barrier)

// Lanes exchange through shared memory with no __syncwarp() between.
extern "C" __global__ void planted_missing_warp_barrier(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = threadIdx.x;
    p.out[threadIdx.x] = tile[threadIdx.x ^ 1];
}
REGISTER_KERNEL(planted_missing_warp_barrier)

// Every block adds to what the one before it has left.
extern "C" __global__ void planted_dependent_blocks(const __grid_constant__ PlantedParams p) {
    if (threadIdx.x == 0) {
        p.out[blockIdx.x] = blockIdx.x == 0 ? 1 : p.out[blockIdx.x - 1] + 1;
    }
}
REGISTER_KERNEL(planted_dependent_blocks)

extern "C" __global__ void planted_divergent_barrier(const __grid_constant__ PlantedParams p) {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    p.out[threadIdx.x] = 1;
}
REGISTER_KERNEL(planted_divergent_barrier)

// Half a warp waits for lanes that have returned.
extern "C" __global__ void planted_stuck_shuffle(const __grid_constant__ PlantedParams p) {
    if (threadIdx.x % 32 >= 16) {
        return;
    }
    p.out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFF, 1.0f, 16);
}
REGISTER_KERNEL(planted_stuck_shuffle)

// ---- reads of what was never written

extern "C" __global__ void planted_uninitialised_static(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    p.out[threadIdx.x] = tile[threadIdx.x];
}
REGISTER_KERNEL(planted_uninitialised_static)

extern "C" __global__ void planted_uninitialised_dynamic(const __grid_constant__ PlantedParams p) {
    SHARED_DYNAMIC(float, memory);
    p.out[threadIdx.x] = memory[threadIdx.x];
}
REGISTER_KERNEL(planted_uninitialised_dynamic)

extern "C" __global__ void planted_uninitialised_global(const __grid_constant__ PlantedParams p) {
    p.out[threadIdx.x] += 1;
}
REGISTER_KERNEL(planted_uninitialised_global)

// ---- asynchronous copies

// Reads what was asked for with no wait for it.
extern "C" __global__ void planted_forgotten_wait(const __grid_constant__ PlantedParams p) {
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
REGISTER_KERNEL(planted_forgotten_wait)

// Waits for one group of copies too few.
extern "C" __global__ void planted_late_wait(const __grid_constant__ PlantedParams p) {
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
REGISTER_KERNEL(planted_late_wait)

// Asks for the next tile while others still read the one before it.
extern "C" __global__ void planted_early_copy(const __grid_constant__ PlantedParams p) {
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
REGISTER_KERNEL(planted_early_copy)

// Starts to load a tile that nobody needs and puts its place to another use, after a wait that is for committed copies alone.
extern "C" __global__ void planted_forgotten_commit(const __grid_constant__ PlantedParams p) {
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
REGISTER_KERNEL(planted_forgotten_commit)

// Ends with copies that the threads from p.at on have committed and the others have not, and nobody waits for.
extern "C" __global__ void planted_copies_in_flight(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    const int thread = threadIdx.x;
    if (thread < 16) {
        async_copy(&tile[4 * thread], &p.out[4 * thread]);
        if (thread >= p.at) {
            async_commit();
        }
    }
}
REGISTER_KERNEL(planted_copies_in_flight)

// Right, in one block: each of its two barriers is needed. A test takes them out.
extern "C" __global__ void planted_nothing(const __grid_constant__ PlantedParams p) {
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
REGISTER_KERNEL(planted_nothing)
