// Tiles of rows in shared memory, [ROWS][DIM + 4]. The padding keeps rows aligned for float4 and puts the same column of
// eight consecutive rows into different banks.
#pragma once
#include "../common/cuda.cuh"

template <int DIM>
constexpr int PITCH = DIM + 4;

// Copies `rows` rows of `dim` elements and fills the rest of the tile with 0. Returns whether all that this thread
// copied is finite.
template <int ROWS, int DIM>
__device__ bool load_tile(float* tile_smem, const float* source, int64_t row_stride, int rows, int dim) {
    bool finite = true;
    const bool aligned = dim % 4 == 0 && row_stride % 4 == 0 && reinterpret_cast<uintptr_t>(source) % 16 == 0;
#pragma unroll 4
    for (int t = threadIdx.x; t < ROWS * DIM / 4; t += TILE_THREADS) {
        const int row = t / (DIM / 4), column = t % (DIM / 4) * 4;
        float4 x = {0, 0, 0, 0};
        if (row < rows && column < dim) {
            const float* from = source + row * row_stride + column;
            if (aligned) {
                x = *reinterpret_cast<const float4*>(from);
            } else {
                x.x = from[0];
                x.y = column + 1 < dim ? from[1] : 0;
                x.z = column + 2 < dim ? from[2] : 0;
                x.w = column + 3 < dim ? from[3] : 0;
            }
        }
        finite &= is_finite(x.x) && is_finite(x.y) && is_finite(x.z) && is_finite(x.w);
        *reinterpret_cast<float4*>(&tile_smem[row * PITCH<DIM> + column]) = x;
    }
    return finite;
}

__device__ inline float dot(const float4& a, const float4& b, float sum) {
    return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}
