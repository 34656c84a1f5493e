// SPDX-License-Identifier: Apache-2.0
// How the last block of a launch to end finishes what all of them began, without a second launch.
#pragma once
#include "cuda.cuh"

#ifdef __CUDACC__
// Orders what a block's threads wrote before what one of them then tells other blocks. The simulator runs blocks one after
// another, and leaves it out.
#define PUBLISH() (__threadfence(), __syncthreads())
#endif

// Whether this is the last of `blocks` blocks to come here, which sees what all of them wrote before. Every thread of the
// block must come. The counter is 0 before and after.
__device__ inline bool is_last_block(int32_t* counter, int blocks) {
    PUBLISH();
    int last = 0;
    if (threadIdx.x == 0) {
        last = atomicAdd(counter, 1) == blocks - 1;
        if (last) {
            *counter = 0;
        }
    }
    last = __syncthreads_or(last);
    __threadfence();
    return last;
}
