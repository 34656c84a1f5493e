// Sums and maxima over the middle axis: y[o, i] = op over r of x[o, r, i]. One warp per output; the order of its
// additions depends on the shape alone, so a sum is the same to the bit on every run.
#include "../common/cuda.cuh"
#include "params.h"

// Same order as org.fovea.backend.ReduceOp.
enum ReduceOp { SUM, MAXIMUM };

__device__ inline float fold(int op, float a, float b) {
    return op == SUM ? a + b : a > b || a != a ? a : b;  // a maximum keeps NaN
}

extern "C" __global__ void reduce_middle(const __grid_constant__ ReduceParams p) {
    constexpr int WARP = 32;
    const int lane = threadIdx.x % WARP;
    const int64_t warps = int64_t(gridDim.x) * blockDim.x / WARP;
    for (int64_t output = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / WARP; output < p.outputs; output += warps) {
        const float* x = p.x + output / p.inner * p.reduced * p.inner + output % p.inner;
        float folded = p.op == SUM ? 0 : -INFINITY;
        for (int r = lane; r < p.reduced; r += WARP) {
            folded = fold(p.op, folded, x[int64_t(r) * p.inner]);
        }
#pragma unroll
        for (int distance = WARP / 2; distance > 0; distance /= 2) {
            folded = fold(p.op, folded, __shfl_xor_sync(0xFFFFFFFF, folded, distance));
        }
        if (lane == 0) {
            p.y[output] = folded;
        }
    }
}
REGISTER_KERNEL(reduce_middle)
