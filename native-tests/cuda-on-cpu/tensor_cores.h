// SPDX-License-Identifier: Apache-2.0
// The hardware that kernels/common/mma.cuh uses, on the CPU: matrix products and matrix loads of a warp, asynchronous
// copies, 16-bit floats.
#pragma once
#include <bit>
#include <cstdint>

#include "simulator.h"

namespace ptx {
enum class Sums;
}

namespace sim {

inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
inline float from_f16(uint16_t bits) { return float(std::bit_cast<_Float16>(bits)); }
inline uint16_t to_f16(float x) { return x != x ? 0x7FFF : std::bit_cast<uint16_t>(_Float16(x)); }

// To nearest, ties to even.
inline uint16_t to_bf16(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    return x != x ? 0x7FFF : uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// To nearest, ties away from zero: what cvt.rna.tf32 does. The low 13 bits, which the hardware ignores, stay 0.
inline uint32_t to_tf32(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    return x != x ? 0x7FFFFFFF : (bits & 0x7F800000) == 0x7F800000 ? bits : (bits + 0x1000) & 0xFFFFE000;
}

enum class Operand { BF16, F16, TF32 };

// How products are summed from the next launch on (ptx/semantics/mma.h); at first exactly.
void set_tensor_sums(ptx::Sums sums);

// One warp's D += A B: m16 n8, k 16 (two 16-bit elements to a register) or 8 (one TF32).
struct Product {
    float* d;            // [4]
    const uint32_t* a;   // [4]
    const uint32_t* b;   // [2]

    template <Operand TYPE>
    static void compute(void* const* lanes);
};

template <Operand TYPE>
void product(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
    Product own{d, a, b};
    collective(&own, Product::compute<TYPE>, site);
}

// Four 8 x 8 matrices of 16-bit elements from shared memory; lane l names row l % 8 of matrix l / 8, 16 bytes.
struct MatrixLoad {
    const void* row;
    uint32_t* r;  // [4]

    template <bool TRANSPOSED>
    static void compute(void* const* lanes);
};

template <bool TRANSPOSED>
void load_matrices(uint32_t (&r)[4], const void* row, Site site) {
    // The warp's last lane reads for all of them; this is for ThreadSanitizer, to which each lane must read its own row.
    [[maybe_unused]] const volatile uint64_t touched = *static_cast<const volatile uint64_t*>(row);
    MatrixLoad own{row, r};
    collective(&own, MatrixLoad::compute<TRANSPOSED>, site);
}

// Copies of the current thread from global to shared memory; they arrive as set_landing() says.
void async_copy(void* shared, const void* global, int bytes, int width, Site site);  // the rest of the width becomes 0
void async_commit();
void async_wait(int groups_left);

}  // namespace sim

