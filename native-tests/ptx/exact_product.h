// SPDX-License-Identifier: Apache-2.0
// The products of mma that Fovea's kernels spend their time in, with exact sums: what semantics/mma.h gives, bit for bit, but
// from whole fragments in vector registers. In the ISA's tables the lanes of a fragment's register are, in order, the rows of
// an 8 x 8 (for .tf32 8 x 4) part of A, or of B transposed.
#pragma once
#include <immintrin.h>

#include "semantics/mma.h"

namespace ptx {

namespace product {

typedef float Floats __attribute__((vector_size(32)));
typedef double Doubles __attribute__((vector_size(64)));

inline Doubles multiply_add(Doubles a, Doubles b, Doubles c) {
#ifdef __AVX512F__
    return Doubles(_mm512_fmadd_pd(__m512d(a), __m512d(b), __m512d(c)));
#else
    return a * b + c;  // the products are exact
#endif
}

// Eight 16-bit numbers side by side, or two times four .tf32.
template <Element TYPE>
Floats row_of(const uint32_t* first, const uint32_t* second) {
    if constexpr (TYPE == Element::F16) {
        return Floats(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(first))));
    } else if constexpr (TYPE == Element::BF16) {
        return Floats(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(first))), 16));
    } else {
        const __m256i both = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(first))),
                                                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(second)), 1);
        return Floats(_mm256_and_si256(both, _mm256_set1_epi32(int(0xFFFFE000))));
    }
}

// In place.
inline void transpose(Floats (&rows)[8]) {
    Floats pairs[8], fours[8];
    for (int i = 0; i < 4; i++) {
        pairs[2 * i] = __builtin_shufflevector(rows[2 * i], rows[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pairs[2 * i + 1] = __builtin_shufflevector(rows[2 * i], rows[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4) {
        fours[i] = __builtin_shufflevector(pairs[i], pairs[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        fours[i + 1] = __builtin_shufflevector(pairs[i], pairs[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        fours[i + 2] = __builtin_shufflevector(pairs[i + 1], pairs[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        fours[i + 3] = __builtin_shufflevector(pairs[i + 1], pairs[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; i++) {
        rows[i] = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        rows[i + 4] = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

}  // namespace product

// m16n8k16 of .f16 and .bf16, m16n8k8 of .tf32, sums in .f32. Operands are given register by register.
template <Element TYPE>
void multiply_exactly(const uint32_t* const (&a)[4], const uint32_t* const (&b)[2], const uint32_t* const (&c)[4],
                      uint32_t (&d)[4][32]) {
    using namespace product;
    // Of 16-bit numbers a register is 8 rows of 8: k has two parts. Of .tf32 two registers make up a row.
    constexpr int PARTS = TYPE == Element::TF32 ? 1 : 2;
    Doubles b_rows[8 * PARTS];
    for (int part = 0; part < PARTS; part++) {
        Floats rows[8];
        for (int n = 0; n < 8; n++) {
            rows[n] = TYPE == Element::TF32 ? row_of<TYPE>(b[0] + 4 * n, b[1] + 4 * n) : row_of<TYPE>(b[part] + 4 * n, nullptr);
        }
        transpose(rows);
        for (int k = 0; k < 8; k++) b_rows[8 * part + k] = __builtin_convertvector(rows[k], Doubles);
    }
    for (int half = 0; half < 2; half++) {
        for (int group = 0; group < 8; group++) {
            alignas(64) double x[8 * PARTS];
            for (int part = 0; part < PARTS; part++) {
                const Floats row = TYPE == Element::TF32 ? row_of<TYPE>(a[half] + 4 * group, a[half + 2] + 4 * group)
                                                         : row_of<TYPE>(a[half + 2 * part] + 4 * group, nullptr);
                reinterpret_cast<Doubles&>(x[8 * part]) = __builtin_convertvector(row, Doubles);
            }
            const __m128 even = _mm_loadu_ps(reinterpret_cast<const float*>(c[2 * half] + 4 * group));
            const __m128 odd = _mm_loadu_ps(reinterpret_cast<const float*>(c[2 * half + 1] + 4 * group));
            const __m256 columns = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_unpacklo_ps(even, odd)),
                                                        _mm_unpackhi_ps(even, odd), 1);
            Doubles sum = __builtin_convertvector(Floats(columns), Doubles);
            for (int k = 0; k < 8 * PARTS; k++) {
                sum = multiply_add(b_rows[k], Doubles{} + x[k], sum);
            }
            const __m256 rounded = __m256(__builtin_convertvector(sum, Floats));
            const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(int(NAN_F32)));
            const __m256 result = _mm256_blendv_ps(rounded, nan, _mm256_cmp_ps(rounded, rounded, _CMP_UNORD_Q));
            const __m128 low = _mm256_castps256_ps128(result), high = _mm256_extractf128_ps(result, 1);
            _mm_storeu_ps(reinterpret_cast<float*>(d[2 * half] + 4 * group), _mm_shuffle_ps(low, high, 0x88));
            _mm_storeu_ps(reinterpret_cast<float*>(d[2 * half + 1] + 4 * group), _mm_shuffle_ps(low, high, 0xDD));
        }
    }
}

}  // namespace ptx
