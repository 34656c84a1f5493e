// SPDX-License-Identifier: Apache-2.0
// The tensor cores and what feeds them, for one warp: D += A B with float accumulators, matrix loads from shared memory,
// asynchronous copies into it. This is the one place with machine instructions; native-tests/cuda-on-cpu/tensor_cores.h
// is the same on the CPU, and gpu-check compares the layouts with a card.
//
// Fragments, with g = lane / 4 and t = lane % 4 (PTX manual, "Warp-level matrix instructions"):
//
//   A [16 x k]   16-bit, k = 16: a0 (g, 2t..2t+1)  a1 (g+8, 2t..)  a2 (g, 2t+8..)  a3 (g+8, 2t+8..)
//                TF32,   k = 8:  a0 (g, t)  a1 (g+8, t)  a2 (g, t+4)  a3 (g+8, t+4)
//   B [k x 8]    16-bit:         b0 (2t..2t+1, g)  b1 (2t+8.., g)        TF32: b0 (t, g)  b1 (t+4, g)
//   D [16 x 8]   d0 (g, 2t)  d1 (g, 2t+1)  d2 (g+8, 2t)  d3 (g+8, 2t+1)
#pragma once
#include <type_traits>

#include "cuda.cuh"

// Storage types. Arithmetic is in float.
struct Bf16 {
    uint16_t bits;
};
struct F16 {
    uint16_t bits;
};

#ifdef __CUDACC__

__device__ inline uint32_t shared_address(const void* shared) { return uint32_t(__cvta_generic_to_shared(shared)); }

#define MMA(name, shape, type)                                                                                      \
    __device__ inline void name(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {                    \
        asm volatile("mma.sync.aligned." shape ".row.col.f32." type "." type                                        \
                     ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                                   \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                               \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                           \
    }
// The same for a D that starts from 0.
#define MMA_FIRST(name, shape, type)                                                                                \
    __device__ inline void name(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {                    \
        asm volatile("mma.sync.aligned." shape ".row.col.f32." type "." type                                        \
                     ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"                               \
                     : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])                                               \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(0.0f));                \
    }
MMA(mma_bf16, "m16n8k16", "bf16")
MMA(mma_f16, "m16n8k16", "f16")
MMA(mma_tf32, "m16n8k8", "tf32")
MMA_FIRST(mma_tf32_first, "m16n8k8", "tf32")
#undef MMA
#undef MMA_FIRST

// Four 8 x 8 matrices of 16-bit elements. Lane l names row l % 8 of matrix l / 8, 16 aligned bytes, and gets into r[m] the
// elements (g, 2t) and (g, 2t+1) of matrix m; of its transpose by ldmatrix_transposed. Read as 8 x 4 matrices of 32-bit
// elements, the first gives element (g, t).
__device__ inline void ldmatrix(uint32_t (&r)[4], const void* row_smem) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row_smem))
                 : "memory");
}
__device__ inline void ldmatrix_transposed(uint32_t (&r)[4], const void* row_smem) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row_smem))
                 : "memory");
}

// Copies 16 aligned bytes to shared memory in the background. What this thread copied has arrived after the wait for its group; what
// others copied, after a barrier behind that.
__device__ inline void async_copy(void* to_smem, const void* from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to_smem)), "l"(from) : "memory");
}
// The same for the first `bytes` of them, 0 to 16; the rest becomes 0. Takes five instructions more.
__device__ inline void async_copy(void* to_smem, const void* from, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to_smem)), "l"(from), "r"(bytes)
                 : "memory");
}
// The same for 4 aligned bytes, of which it copies all or none.
__device__ inline void async_copy_word(void* to_smem, const void* from, bool copied) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to_smem)), "l"(from), "r"(copied ? 4 : 0)
                 : "memory");
}
__device__ inline void async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int GROUPS_LEFT>
__device__ inline void async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(GROUPS_LEFT) : "memory");
}

// Two floats in one register, `low` in the low half.
__device__ inline uint32_t pack_bf16(float low, float high) {
    uint32_t bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}
__device__ inline uint32_t pack_f16(float low, float high) {
    uint32_t bits;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}
__device__ inline float as_float(uint32_t bits) { return __uint_as_float(bits); }
__device__ inline uint32_t as_bits(float x) { return __float_as_uint(x); }
// x, of which the compiler does not know where it comes from: so what follows from it is computed where it is used, and
// takes no registers all through a loop.
__device__ inline int opaque(int x) {
    asm volatile("" : "+r"(x));
    return x;
}
// 2^x to 2 units in the last place; results below the smallest normal number are 0.
__device__ inline float power_of_two(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}
__device__ inline float to_float(Bf16 x) { return __uint_as_float(uint32_t(x.bits) << 16); }
__device__ inline float to_float(F16 x) {
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
    return result;
}

#else

inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], SIM_SITE) {
    sim::product<sim::Operand::BF16>(d, a, b, {file, line});
}
inline void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], SIM_SITE) {
    sim::product<sim::Operand::F16>(d, a, b, {file, line});
}
inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], SIM_SITE) {
    sim::product<sim::Operand::TF32>(d, a, b, {file, line});
}
inline void mma_tf32_first(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], SIM_SITE) {
    d[0] = d[1] = d[2] = d[3] = 0;
    sim::product<sim::Operand::TF32>(d, a, b, {file, line});
}
inline void ldmatrix(uint32_t (&r)[4], const void* row_smem, SIM_SITE) { sim::load_matrices<false>(r, row_smem, {file, line}); }
inline void ldmatrix_transposed(uint32_t (&r)[4], const void* row_smem, SIM_SITE) {
    sim::load_matrices<true>(r, row_smem, {file, line});
}
inline void async_copy(void* to_smem, const void* from, SIM_SITE) { sim::async_copy(to_smem, from, 16, 16, {file, line}); }
inline void async_copy(void* to_smem, const void* from, int bytes, SIM_SITE) {
    sim::async_copy(to_smem, from, bytes, 16, {file, line});
}
inline void async_copy_word(void* to_smem, const void* from, bool copied, SIM_SITE) {
    sim::async_copy(to_smem, from, copied ? 4 : 0, 4, {file, line});
}
inline void async_commit() { sim::async_commit(); }
template <int GROUPS_LEFT>
void async_wait() {
    sim::async_wait(GROUPS_LEFT);
}
inline float as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
inline uint32_t as_bits(float x) { return std::bit_cast<uint32_t>(x); }
inline int opaque(int x) { return x; }
inline float power_of_two(float x) { return x < -126 ? 0 : std::exp2(x); }
inline uint32_t pack_bf16(float low, float high) { return sim::to_bf16(low) | uint32_t(sim::to_bf16(high)) << 16; }
inline uint32_t pack_f16(float low, float high) { return sim::to_f16(low) | uint32_t(sim::to_f16(high)) << 16; }
inline float to_float(Bf16 x) { return sim::from_bf16(x.bits); }
inline float to_float(F16 x) { return sim::from_f16(x.bits); }

#endif

__device__ inline float to_float(float x) { return x; }

// To the nearest TF32, 8 bits of exponent and 10 of mantissa: half a unit is added, and hardware ignores the bits that are too many. Two
// instructions, where cvt.rna.tf32 is four; a NaN stays one, which it would not if the half were added to the bits.
__device__ inline uint32_t to_tf32(float x) { return as_bits(fmaf(as_float(as_bits(x) & 0xFF800000), 0x1p-11f, x)); }

__device__ inline void store(float* to, float x) { *to = x; }
__device__ inline void store(Bf16* to, float x) { to->bits = uint16_t(pack_bf16(x, 0)); }
__device__ inline void store(F16* to, float x) { to->bits = uint16_t(pack_f16(x, 0)); }
