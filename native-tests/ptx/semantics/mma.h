// SPDX-License-Identifier: Apache-2.0
// mma.sync: D = A B + C of a warp (PTX ISA 9.0, section 9.7.14.5.14). In which order and how exactly products are summed the
// ISA leaves open; Sums are the choices here.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "arithmetic.h"
#include "fragments.h"

namespace ptx {

// EXACT: in double, rounded once at the end.
// AMPERE and HOPPER: as those tensor cores do. Products are exact; they and C are cut (toward zero) to 24 or 25 bits below the
// largest exponent among them, where a product has the sum of its factors' exponents, and their sum is cut to a float's 24
// bits, or rounded to nearest for .f16. Ampere and Ada do so for 4 products of .tf32 or 8 of 16-bit numbers at a time, the sum
// so far being C. Sources: Fasi et al. 2021, doi:10.7717/peerj-cs.330; Xie et al. 2025, MMA-Sim, doi:10.48550/arXiv.2511.10909,
// who compared their model with cards bit by bit.
enum class Sums { EXACT, AMPERE, HOPPER };

namespace detail {

// Four columns of a matrix; every form has two such halves.
typedef double Four __attribute__((vector_size(32), may_alias));
typedef int64_t FourBits __attribute__((vector_size(32)));

// By element: floor(log2 |x|), not below the least exponent of x's type; -126 for 0.
inline Four exponents_of(Four x, Element type) {
    const FourBits biased = FourBits(x) >> 52 & 0x7FF;
    const Four plain = Four(biased | std::bit_cast<int64_t>(0x1p52)) - (0x1p52 + 1023);
    const Four least = Four{} + (type == Element::F16 ? -14 : -126);
    return biased == 0 ? Four{} - 126 : plain > least ? plain : least;
}
inline Four powers_of_two(Four exponents) { return Four(FourBits(exponents + (0x1p52 + 1023)) << 52); }
inline Four truncated(Four x) { return Four(_mm256_round_pd(__m256d(x), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)); }

// The float that `x` is cut to, toward zero. Past the largest float it is infinite.
inline float cut(double x) {
    if (!(std::fabs(x) >= 0x1p-126)) {
        return x == x ? float(std::trunc(x * 0x1p149) * 0x1p-149) : f32(NAN_F32);
    }
    return float(f64(bits_of(x) & ~uint64_t(0x1FFFFFFF)));
}

// Four elements of a row of D: `sums`, at first C's, plus a[0..depth) times the rows of b, cut to `bits` below the largest
// exponent.
inline void add_cut(Four& sums, const float* a, const double* a_exponents, const Four* b, const Four* b_exponents, int depth,
                    int bits, Element d) {
    Four largest = exponents_of(sums, d);
    for (int k = 0; k < depth; k++) {
        const Four exponents = b_exponents[k] + a_exponents[k];
        largest = exponents > largest ? exponents : largest;
    }
    const Four scale = powers_of_two(bits - largest);
    // Terms are below 2^28 then, so that their sum is exact.
    Four plain = sums, sum = truncated(sums * scale);
    for (int k = 0; k < depth; k++) {
        const Four products = b[k] * double(a[k]);
        plain += products;
        sum += truncated(products * scale);
    }
    sum *= powers_of_two(largest - bits);
    const Four magnitude = Four(FourBits(sum) & INT64_MAX), plain_magnitude = Four(FourBits(plain) & INT64_MAX);
    const FourBits common = (plain_magnitude < double(INFINITY)) & (magnitude < 0x1p128)
        & ((magnitude >= 0x1p-126) | (sum == 0));
    if (d == Element::F32 && _mm256_movemask_pd(__m256d(common)) == 15) {
        sums = Four(FourBits(sum) & ~int64_t(0x1FFFFFFF));
        return;
    }
    for (int j = 0; j < 4; j++) {
        const double x = std::fabs(plain[j]) < INFINITY ? sum[j] : plain[j];
        sums[j] = d == Element::F16 ? double(from_f16(f64_to_f16(x))) : double(cut(x));
    }
}

// Element i of a register of each lane. As loops that the compiler makes vector instructions of.
inline void decode(const uint32_t* bits, int i, Element type, float (&values)[32]) {
    if (type == Element::F16) {
        for (int lane = 0; lane < 32; lane++) {
            const uint32_t magnitude = (bits[lane] >> 16 * i & 0x7FFF) << 13, sign = (bits[lane] >> 16 * i & 0x8000) << 16;
            const uint32_t special = magnitude | 0x7F800000, normal = std::bit_cast<uint32_t>(f32(magnitude) * 0x1p112f);
            values[lane] = f32(sign | (magnitude >= 0x0F800000 ? special : normal));
        }
    } else {
        const int shift = type == Element::BF16 ? 16 * (1 - i) : 0;
        const uint32_t mask = type == Element::BF16 ? 0xFFFF0000 : type == Element::TF32 ? 0xFFFFE000 : 0xFFFFFFFF;
        for (int lane = 0; lane < 32; lane++) {
            values[lane] = f32(bits[lane] << shift & mask);
        }
    }
}

// Where elements go by the tables: A row by row, B and C in two halves of four columns, each row by row.
struct Layout {
    uint16_t a[8][32], b[4][32], c[4][32];  // by element and lane

    // Of a form of floats but .f64.
    static const Layout& of(const MmaForm& form) {
        static const std::array<Layout, 6> all = make_all();
        return all[index(form)];
    }

  private:
    static int index(const MmaForm& form) { return (form.k / 8) * 2 + (form.a == Element::TF32); }  // k is 4, 8 or 16
    static std::array<Layout, 6> make_all() {
        std::array<Layout, 6> all{};
        for (const char* name : {"m16n8k8.row.col.f32.f16.f16.f32", "m16n8k16.row.col.f32.f16.f16.f32",
                                 "m16n8k4.row.col.f32.tf32.tf32.f32", "m16n8k8.row.col.f32.tf32.tf32.f32"}) {
            const MmaForm form = *MmaForm::parse(name);
            Layout& layout = all[index(form)];
            for (int lane = 0; lane < 32; lane++) {
                for (int i = 0; i < form.a_elements(); i++) {
                    const auto [row, column] = a_position(form, lane, i);
                    layout.a[i][lane] = uint16_t(row * form.k + column);
                }
                for (int i = 0; i < form.b_elements(); i++) {
                    const auto [row, column] = b_position(form, lane, i);
                    layout.b[i][lane] = uint16_t((column / 4 * form.k + row) * 4 + column % 4);
                }
                for (int i = 0; i < form.c_elements(); i++) {
                    const auto [row, column] = c_position(form, lane, i);
                    layout.c[i][lane] = uint16_t((column / 4 * form.m + row) * 4 + column % 4);
                }
            }
        }
        return all;
    }
};

template <class T>
void scatter(const uint32_t (*registers)[32], int elements, Element type, const uint16_t (*places)[32], T* matrix) {
    const int per_register = 32 / bits_of(type);
    float values[32];
    for (int i = 0; i < elements; i++) {
        decode(registers[i / per_register], i % per_register, type, values);
        for (int lane = 0; lane < 32; lane++) {
            matrix[places[i][lane]] = values[lane];
        }
    }
}

inline void multiply_floats(const MmaForm& form, const uint32_t (*a)[32], const uint32_t (*b)[32], const uint32_t (*c)[32],
                            uint32_t (*d)[32], Sums sums) {
    const Layout& layout = Layout::of(form);
    alignas(Four) float a_matrix[16 * 16];
    alignas(Four) double b_matrix[2 * 16 * 4], d_matrix[2 * 16 * 4];
    scatter(a, form.a_elements(), form.a, layout.a, a_matrix);
    scatter(b, form.b_elements(), form.b, layout.b, b_matrix);
    scatter(c, form.c_elements(), form.c, layout.c, d_matrix);
    const Four* const b_rows = reinterpret_cast<const Four*>(b_matrix);
    Four* const d_rows = reinterpret_cast<Four*>(d_matrix);
    const int rows = 2 * form.m, b_count = 2 * form.k;
    const auto half = [&](int row) { return row < form.m ? 0 : form.k; };
    if (sums == Sums::EXACT) {
        for (int row = 0; row < rows; row++) {
            const float* x = a_matrix + row % form.m * form.k;
            const Four* y = b_rows + half(row);
            Four sum = d_rows[row];
            for (int k = 0; k < form.k; k++) {
                sum += y[k] * double(x[k]);
            }
            d_rows[row] = sum;
        }
    } else {
        const int together = sums == Sums::HOPPER ? form.k : std::min(form.k, form.a == Element::TF32 ? 4 : 8);
        const int bits = sums == Sums::HOPPER ? 25 : 24;
        alignas(Four) double a_exponents[16 * 16];
        Four b_exponents[2 * 16];
        for (int i = 0; i < form.m * form.k; i += 4) {
            const float* x = a_matrix + i;
            reinterpret_cast<Four&>(a_exponents[i]) = exponents_of(Four{x[0], x[1], x[2], x[3]}, form.a);
        }
        for (int i = 0; i < b_count; i++) {
            b_exponents[i] = exponents_of(b_rows[i], form.b);
        }
        for (int row = 0; row < rows; row++) {
            const int of_a = row % form.m * form.k, of_b = half(row);
            Four sum = d_rows[row];
            for (int k = 0; k < form.k; k += together) {
                add_cut(sum, a_matrix + of_a + k, a_exponents + of_a + k, b_rows + of_b + k, b_exponents + of_b + k, together,
                    bits,
                        form.d);
            }
            d_rows[row] = sum;
        }
    }
    for (int i = 0; i < form.c_elements(); i++) {
        for (int lane = 0; lane < 32; lane++) {
            const double x = d_matrix[layout.c[i][lane]];
            if (form.d == Element::F32) {
                d[i][lane] = bits_of(float(x));
            } else {
                const uint32_t half_bits = f64_to_f16(x);
                d[i / 2][lane] = i % 2 ? (d[i / 2][lane] & 0xFFFF) | half_bits << 16 : half_bits;
            }
        }
    }
}

inline void multiply_integers(const MmaForm& form, const uint32_t (*a)[32], const uint32_t (*b)[32], const uint32_t (*c)[32],
                              uint32_t (*d)[32]) {
    const auto byte = [](uint32_t bits, int i, Element type) {
        return type == Element::S8 ? int(int8_t(bits >> 8 * i)) : int(uint8_t(bits >> 8 * i));
    };
    int a_matrix[16][32], b_matrix[32][8];
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.a_elements(); i++) {
            const auto [row, column] = a_position(form, lane, i);
            a_matrix[row][column] = byte(a[i / 4][lane], i % 4, form.a);
        }
        for (int i = 0; i < form.b_elements(); i++) {
            const auto [row, column] = b_position(form, lane, i);
            b_matrix[row][column] = byte(b[i / 4][lane], i % 4, form.b);
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.c_elements(); i++) {
            const auto [row, column] = c_position(form, lane, i);
            int64_t sum = int32_t(c[i][lane]);
            for (int k = 0; k < form.k; k++) {
                sum += a_matrix[row][k] * b_matrix[k][column];
            }
            d[i][lane] = uint32_t(form.satfinite ? saturate_integer<int32_t>(sum) : int32_t(sum));
        }
    }
}

}  // namespace detail

// Operands by register and lane; d may be c. For forms of 32-bit registers.
inline void mma(const MmaForm& form, const uint32_t (*a)[32], const uint32_t (*b)[32], const uint32_t (*c)[32],
                uint32_t (*d)[32], Sums sums) {
    if (form.d == Element::S32) {
        detail::multiply_integers(form, a, b, c, d);
    } else {
        detail::multiply_floats(form, a, b, c, d, sums);
    }
}

// The same for .f64, each step a fused multiply-add.
inline void mma_f64(const MmaForm& form, const uint64_t (*a)[32], const uint64_t (*b)[32], const uint64_t (*c)[32],
                    uint64_t (*d)[32], Round round = Round::RN) {
    uint64_t a_matrix[16][16], b_matrix[16][8];
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.a_elements(); i++) {
            const auto [row, column] = a_position(form, lane, i);
            a_matrix[row][column] = a[i][lane];
        }
        for (int i = 0; i < form.b_elements(); i++) {
            const auto [row, column] = b_position(form, lane, i);
            b_matrix[row][column] = b[i][lane];
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.c_elements(); i++) {
            const auto [row, column] = c_position(form, lane, i);
            uint64_t sum = c[i][lane];
            for (int k = 0; k < form.k; k++) {
                sum = fma_f64(a_matrix[row][k], b_matrix[k][column], sum, round);
            }
            d[i][lane] = sum;
        }
    }
}

}  // namespace ptx
