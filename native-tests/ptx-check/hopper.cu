// SPDX-License-Identifier: Apache-2.0
// C = A B^T of bfloat16 numbers by one warp group for each 64 x 64 of C: A [m, k] goes through registers into tiles with a
// swizzle of 128 bytes, B [n, k] by bulk copies of 16 bytes into tiles without one. It tries the simulator's Hopper
// instructions; its PTX is in tests/ptx_hopper_gemm.h:
//   nvcc -std=c++17 -O3 -arch=sm_90a --ptx ptx-check/hopper.cu
#include <cuda_bf16.h>

#include <cstdint>

struct Gemm {
    const __nv_bfloat16* a;
    const __nv_bfloat16* b;
    float* c;
    int n, k;
};

namespace {

constexpr int TILE = 64, THREADS = 128, PIECE = 8, ROW_BYTES = 128, TILE_BYTES = TILE * ROW_BYTES, REGISTERS = TILE / 2;
constexpr int CORE_BYTES = 128, CORES_BYTES = TILE / 8 * CORE_BYTES;  // 8 rows of 16 bytes; all rows

__device__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

__device__ uint64_t descriptor(uint32_t address, int leading, int stride, uint64_t swizzle) {
    return uint64_t(address >> 4 & 0x3FFF) | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32 | swizzle << 62;
}

__device__ void multiply(float (&d)[REGISTERS], uint64_t a, uint64_t b) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, 1, 1, 1, 0, 0;"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]),
            "+f"(d[9]),
          "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]),
          "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
          "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
        : "l"(a), "l"(b));
}

}  // namespace

extern "C" __global__ void __launch_bounds__(THREADS) hopper_gemm(const Gemm p) {
    extern __shared__ __align__(1024) unsigned char tiles[];  // of A, then of B
    __shared__ __align__(8) uint64_t full;
    const int thread = threadIdx.x, row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
    const uint32_t a = shared_address(tiles), b = a + TILE_BYTES, barrier = shared_address(&full);
    if (thread == 0) {
        asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(THREADS) : "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    }
    __syncthreads();
    float d[REGISTERS] = {};
    for (int k = 0; k < p.k; k += TILE) {
#pragma unroll 1
        for (int piece = thread; piece < TILE * TILE / PIECE; piece += THREADS) {
            const int row = piece / PIECE, column = piece % PIECE;
            const uint32_t to = b + column * CORES_BYTES + row / 8 * CORE_BYTES + row % 8 * 16;
            const __nv_bfloat16* from = p.b + int64_t(column0 + row) * p.k + k + column * PIECE;
            asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], 16, [%2];" ::"r"(to),
                "l"(from), "r"(barrier) : "memory");
            const uint4 value = *reinterpret_cast<const uint4*>(p.a + int64_t(row0 + row) * p.k + k + column * PIECE);
            *reinterpret_cast<uint4*>(tiles + row * ROW_BYTES + ((column ^ row % 8) << 4)) = value;
        }
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(TILE_BYTES / THREADS)
            : "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        __syncthreads();
        uint32_t done = 0;
        while (!done) {
            asm volatile(
                "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.b32 %0, 1, 0, p;\n}"
                : "=r"(done)
                : "r"(barrier), "r"(k / TILE & 1)
                : "memory");
        }
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
        for (int i = 0; i < TILE / 16; i++) {
            multiply(d, descriptor(a + 32 * i, 16, 8 * ROW_BYTES, 1),
                descriptor(b + 2 * i * CORES_BYTES, CORES_BYTES, CORE_BYTES, 0));
        }
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
        asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
        __syncthreads();
    }
    const int warp = thread / 32, lane = thread % 32;
#pragma unroll
    for (int i = 0; i < REGISTERS; i++) {
        const int row = row0 + 16 * warp + lane / 4 + i / 2 % 2 * 8, column = column0 + i / 4 * 8 + lane % 4 * 2 + i % 2;
        p.c[int64_t(row) * p.n + column] = d[i];
    }
}
