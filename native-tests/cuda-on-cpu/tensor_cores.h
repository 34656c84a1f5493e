// SPDX-License-Identifier: Apache-2.0
// The hardware that kernels/common/mma.cuh uses, on the CPU: matrix products and matrix loads of a warp, asynchronous
// copies, 16-bit floats. The fragment layouts are those of the PTX manual (section 9.7, "Warp-level matrix instructions").
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "simulator.h"

namespace sim {

inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
inline float from_f16(uint16_t bits) { return float(std::bit_cast<_Float16>(bits)); }
inline uint16_t to_f16(float x) { return std::bit_cast<uint16_t>(_Float16(x)); }

// To nearest, ties to even.
inline uint16_t to_bf16(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    return x != x ? 0x7FFF : uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// To nearest, ties away from zero: what cvt.rna.tf32 does. The low 13 bits, which the hardware ignores, stay 0.
inline uint32_t to_tf32(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    return (bits & 0x7F800000) == 0x7F800000 ? bits : (bits + 0x1000) & 0xFFFFE000;
}

enum class Operand { BF16, F16, TF32 };

// True if products are summed as an A100 does (Fasi et al. 2021, doi:10.7717/peerj-cs.330), so that tests see what is lost:
// 4 products of TF32 or 8 of 16-bit numbers at a time are cut to 24 bits, and one to spare, below the largest term, and their
// sum is cut again. Else each addition rounds, as on other processors.
inline bool truncates() {
    static const bool chosen = getenv("FOVEA_SIMULATOR_TRUNCATES") != nullptr;
    return chosen;
}

inline float truncated_sum(const double* terms, int count) {
    double largest = 0;
    for (int i = 0; i < count; i++) {
        largest = std::max(largest, std::fabs(terms[i]));
    }
    double sum = 0;
    if (!(largest > 0 && largest < INFINITY)) {
        for (int i = 0; i < count; i++) sum += terms[i];
        return float(sum);
    }
    int exponent;
    std::frexp(largest, &exponent);
    const double last = std::ldexp(1.0, exponent - 25);
    for (int i = 0; i < count; i++) {
        sum += std::trunc(terms[i] / last) * last;
    }
    std::frexp(sum, &exponent);
    const double unit = std::ldexp(1.0, std::max(exponent - 24, -149));
    return float(std::trunc(sum / unit) * unit);
}

// One warp's D += A B: m16 n8, k 16 (two 16-bit elements to a register) or 8 (one TF32).
struct Product {
    float* d;            // [4]
    const uint32_t* a;   // [4]
    const uint32_t* b;   // [2]

    // Element of a register: which half, for 16-bit types.
    template <Operand TYPE>
    static float element(uint32_t bits, int half) {
        const uint16_t part = uint16_t(bits >> 16 * half);
        return TYPE == Operand::TF32 ? std::bit_cast<float>(bits & 0xFFFFE000) : TYPE == Operand::BF16 ? from_bf16(part) : from_f16(part);
    }

    template <Operand TYPE>
    static void compute(void* const* lanes) {
        constexpr int PER_REGISTER = TYPE == Operand::TF32 ? 1 : 2, DEPTH = 8 * PER_REGISTER, QUARTER = 4 * PER_REGISTER;
        float a[16][DEPTH], b[DEPTH][8];
        for (int l = 0; l < 32; l++) {
            const Product& lane = *static_cast<const Product*>(lanes[l]);
            const int group = l / 4, within = l % 4 * PER_REGISTER;
            for (int half = 0; half < PER_REGISTER; half++) {
                for (int r = 0; r < 4; r++) {
                    a[group + r % 2 * 8][within + half + r / 2 * QUARTER] = element<TYPE>(lane.a[r], half);
                }
                for (int r = 0; r < 2; r++) {
                    b[within + half + r * QUARTER][group] = element<TYPE>(lane.b[r], half);
                }
            }
        }
        for (int l = 0; l < 32; l++) {
            const Product& lane = *static_cast<const Product*>(lanes[l]);
            for (int r = 0; r < 4; r++) {
                const int row = l / 4 + r / 2 * 8, column = l % 4 * 2 + r % 2;
                float sum = lane.d[r];
                if (truncates()) {
                    for (int k = 0; k < DEPTH; k += DEPTH / 2) {
                        double terms[DEPTH / 2 + 1] = {sum};
                        for (int i = 0; i < DEPTH / 2; i++) {
                            terms[i + 1] = double(a[row][k + i]) * b[k + i][column];
                        }
                        sum = truncated_sum(terms, DEPTH / 2 + 1);
                    }
                } else {
                    for (int k = 0; k < DEPTH; k++) {
                        sum += a[row][k] * b[k][column];
                    }
                }
                lane.d[r] = sum;
            }
        }
    }
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
    static void compute(void* const* lanes) {
        uint16_t elements[32][8];
        for (int l = 0; l < 32; l++) {
            memcpy(elements[l], static_cast<const MatrixLoad*>(lanes[l])->row, 16);
        }
        for (int l = 0; l < 32; l++) {
            for (int matrix = 0; matrix < 4; matrix++) {
                uint32_t bits = 0;
                for (int half = 0; half < 2; half++) {
                    const int row = TRANSPOSED ? l % 4 * 2 + half : l / 4, column = TRANSPOSED ? l / 4 : l % 4 * 2 + half;
                    bits |= uint32_t(elements[matrix * 8 + row][column]) << 16 * half;
                }
                static_cast<MatrixLoad*>(lanes[l])->r[matrix] = bits;
            }
        }
    }
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

