// SPDX-License-Identifier: Apache-2.0
// Floats as operands of products of bf16: they lie in shared memory as floats and are rounded when a warp loads them. Two
// fragments of 8 in k, in the layout of TF32 (mma.cuh), make one of 16: lane t has k = t, t + 4, t + 8, t + 12 where bf16 wants 2t,
// 2t + 1, 2t + 8, 2t + 9, and a sum over k may run in any order that is the same for both operands.
//
// Copies in bf16, of weights at each step and of activations where they are made, would be more launches or second outputs, and
// pay for wide layers alone. Reckoned for an H100: a layer of width d takes 2 d^2 operations and moves 8 d bytes of floats a row, so
// memory lets it do 214 TFLOP/s at d = 256, half as much at 128. Shared memory lets the large tile of gemm_tile.cuh do about 340: a
// warp loads 12 matrices of 512 bytes for 16 products, 48 cycles for 26 of the tensor cores. Rounding is one instruction for two
// numbers, a fourth of what TF32 takes.
#pragma once
#include "mma.cuh"

// Of products of floats. Same order as org.fovea.backend.BackendSettings.Precision.
enum class Precision { FLOAT32, TF32, BF16 };
template <Precision PRECISION>
using Products = std::integral_constant<Precision, PRECISION>;

// Operand A from its fragments of k = 0..7 and 8..15.
__device__ inline void round_a(uint32_t (&a)[4], const uint32_t (&first)[4], const uint32_t (&second)[4]) {
    a[0] = pack_bf16(as_float(first[0]), as_float(first[2]));
    a[1] = pack_bf16(as_float(first[1]), as_float(first[3]));
    a[2] = pack_bf16(as_float(second[0]), as_float(second[2]));
    a[3] = pack_bf16(as_float(second[1]), as_float(second[3]));
}

// Operand B, likewise.
__device__ inline void round_b(uint32_t (&b)[2], uint32_t first0, uint32_t first1, uint32_t second0, uint32_t second1) {
    b[0] = pack_bf16(as_float(first0), as_float(first1));
    b[1] = pack_bf16(as_float(second0), as_float(second1));
}
