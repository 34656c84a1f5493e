// SPDX-License-Identifier: Apache-2.0
// The speed of the arithmetic units with operands in registers: what the times of real kernels are measured against. Each
// warp has CHAINS sums that do not wait for each other.
#include "../../kernels/common/mma.cuh"
#include "peak.h"

constexpr int CHAINS = 8;

template <class STEP>
__device__ void tensor_peak(const PeakParams& p, STEP step) {
    float sums[CHAINS][4] = {};
    const uint32_t a[4] = {threadIdx.x, threadIdx.x, 0, 0}, b[2] = {0, threadIdx.x};
    for (int round = 0; round < p.rounds; round++) {
#pragma unroll
        for (int chain = 0; chain < CHAINS; chain++) {
            step(sums[chain], a, b);
        }
    }
    float sum = 0;
#pragma unroll
    for (int chain = 0; chain < CHAINS; chain++) {
        sum += sums[chain][0] + sums[chain][1] + sums[chain][2] + sums[chain][3];
    }
    p.out[int64_t(blockIdx.x) * blockDim.x + threadIdx.x] = sum;
}

extern "C" __global__ void peak_bf16(const __grid_constant__ PeakParams p) {
    tensor_peak(p, [](float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_bf16(d, a, b); });
}
REGISTER_KERNEL(peak_bf16)

extern "C" __global__ void peak_tf32(const __grid_constant__ PeakParams p) {
    tensor_peak(p, [](float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_tf32(d, a, b); });
}
REGISTER_KERNEL(peak_tf32)
