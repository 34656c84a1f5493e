// SPDX-License-Identifier: Apache-2.0
// Kernels of one warp that put the wrappers of mma.cuh and fragments.cuh to work on small tiles.
#include "../../kernels/common/fragments.cuh"
#include "mma_test.h"

constexpr int N = 32;

template <class T, int DIM, int M>
__device__ void both_products(const MmaTestParams& p) {
    constexpr int PITCH = TILE_PITCH<T, DIM>;
    SHARED(T, x_smem, [16 * M * PITCH]);
    SHARED(T, y_smem, [N * PITCH]);
    constexpr int PER_COPY = 16 / int(sizeof(T)), COPIES = DIM / PER_COPY;
    for (int i = threadIdx.x; i < (16 * M + N) * COPIES; i += 32) {
        const int row = i / COPIES, column = i % COPIES * PER_COPY;
        const bool first = row < 16 * M;
        const int own = first ? row : row - 16 * M;
        async_copy((first ? x_smem : y_smem) + own * PITCH + column,
                   static_cast<const T*>(first ? p.x : p.y) + own * DIM + column);
    }
    async_commit();
    async_wait<0>();
    __syncthreads();
    float s[M][N / 8][4] = {}, o[M][DIM / 8][4] = {};
    const auto multiply_both = [&](auto products) {
        multiply_rows<T, DIM, M, N>(s, x_smem, y_smem, DIM, products);
        multiply<T, DIM, M, N>(o, s, y_smem, products);
    };
    switch (Precision(p.precision)) {
        case Precision::FLOAT32: multiply_both(Products<Precision::FLOAT32>{}); break;
        case Precision::TF32: multiply_both(Products<Precision::TF32>{}); break;
        case Precision::BF16: multiply_both(Products<Precision::BF16>{});
    }
    const int g = threadIdx.x / 4, t = threadIdx.x % 4;
    for (int m = 0; m < M; m++) {
        for (int r = 0; r < 4; r++) {
            const int row = 16 * m + g + r / 2 * 8, column = 2 * t + r % 2;
            for (int n = 0; n < N / 8; n++) {
                p.s[row * N + 8 * n + column] = s[m][n][r];
            }
            for (int d = 0; d < DIM / 8; d++) {
                p.o[row * DIM + 8 * d + column] = o[m][d][r];
            }
        }
    }
}

extern "C" __global__ void mma_test_bf16(const __grid_constant__ MmaTestParams p) { both_products<Bf16, 48, 2>(p); }
REGISTER_KERNEL(mma_test_bf16)
extern "C" __global__ void mma_test_f16(const __grid_constant__ MmaTestParams p) { both_products<F16, 32, 1>(p); }
REGISTER_KERNEL(mma_test_f16)
extern "C" __global__ void mma_test_float(const __grid_constant__ MmaTestParams p) { both_products<float, 48, 2>(p); }
REGISTER_KERNEL(mma_test_float)
