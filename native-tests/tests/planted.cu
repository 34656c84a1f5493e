// Kernels with one defect each, which the simulator must catch.
#include "planted.h"

extern "C" __global__ void planted_write_past_end(const __grid_constant__ PlantedParams p) {
    if (threadIdx.x == 0) {
        p.out[p.count] = 1;
    }
}
REGISTER_KERNEL(planted_write_past_end)

extern "C" __global__ void planted_shared_overrun(const __grid_constant__ PlantedParams p) {
    SHARED_DYNAMIC(float, memory);
    memory[threadIdx.x] = 1;  // room for fewer than there are threads
    p.out[threadIdx.x] = memory[0];
}
REGISTER_KERNEL(planted_shared_overrun)

// Reverses through shared memory without waiting for the other half.
extern "C" __global__ void planted_missing_barrier(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    tile[threadIdx.x] = threadIdx.x;
    p.out[threadIdx.x] = tile[p.count - 1 - threadIdx.x];
}
REGISTER_KERNEL(planted_missing_barrier)

// Sums twice through one tile; the second round overwrites it while the first is still read.
extern "C" __global__ void planted_missing_second_barrier(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    float sum = 0;
    for (int round = 1; round <= 2; round++) {
        tile[threadIdx.x] = round * (threadIdx.x + 1);
        __syncthreads();
        sum += tile[p.count - 1 - threadIdx.x];
    }
    p.out[threadIdx.x] = sum;
}
REGISTER_KERNEL(planted_missing_second_barrier)

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

extern "C" __global__ void planted_uninitialised_read(const __grid_constant__ PlantedParams p) {
    SHARED(float, tile, [64]);
    p.out[threadIdx.x] = tile[threadIdx.x];
}
REGISTER_KERNEL(planted_uninitialised_read)
