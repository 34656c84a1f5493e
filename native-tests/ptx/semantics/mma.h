// SPDX-License-Identifier: Apache-2.0
// mma.sync: D = A B + C of a warp (PTX ISA 9.0, section 9.7.14.5.14). In which order and how exactly products are summed the ISA
// leaves open; Sums are the choices here.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "arithmetic.h"
#include "fragments.h"

namespace ptx {

// EXACT: in double, rounded once at the end.
// AMPERE and HOPPER: as those tensor cores do. Products are exact; they and C are cut (toward zero) to 24 or 25 bits below the
// largest exponent among them, where a product has the sum of its factors' exponents, and their sum is cut to a float's 24 bits,
// or rounded to nearest for .f16. Ampere and Ada do so for 4 products of .tf32 or 8 of 16-bit numbers at a time, the sum so far
// being C. Sources: Fasi et al. 2021, doi:10.7717/peerj-cs.330; Xie et al. 2025, MMA-Sim, doi:10.48550/arXiv.2511.10909, who
// compared their model with cards bit by bit.
enum class Sums { EXACT, AMPERE, HOPPER };

namespace detail {

constexpr int COLUMNS = 8;  // of every form
typedef double Doubles __attribute__((vector_size(8 * COLUMNS)));
typedef int32_t Ints __attribute__((vector_size(4 * COLUMNS)));

typedef int64_t Longs __attribute__((vector_size(8 * COLUMNS)));

// By element: floor(log2 |x|), not below the least exponent of x's type; -126 for 0.
inline void exponents_of(const Doubles& x, Element type, Ints& exponents) {
    const Longs biased = (Longs(x) >> 52) & 0x7FF;
    const Ints plain = __builtin_convertvector(biased, Ints) - 1023;
    const int least = type == Element::F16 ? -14 : -126;
    exponents = plain == -1023 ? Ints{} - 126 : plain > least ? plain : Ints{} + least;
}

// The float that `x` is cut to, toward zero. Past the largest float it is infinite.
inline float cut(double x) {
    if (!(std::fabs(x) >= 0x1p-126)) {
        return x == x ? float(std::trunc(x * 0x1p149) * 0x1p-149) : f32(NAN_F32);
    }
    return float(f64(bits_of(x) & ~uint64_t(0x1FFFFFFF)));
}

// One row of D: `sums`, at first C's row, plus a[0..depth) times the rows of b, cut to `bits` below the largest exponent.
inline void add_cut(Doubles& sums, const float* a, const int* a_exponents, const Doubles* b, const Ints* b_exponents, int depth,
                    int bits, Element d) {
    Ints largest;
    exponents_of(sums, d, largest);
    for (int k = 0; k < depth; k++) {
        const Ints exponents = b_exponents[k] + a_exponents[k];
        largest = exponents > largest ? exponents : largest;
    }
    const Doubles scale = Doubles(__builtin_convertvector(1023 + bits - largest, Longs) << 52);
    Doubles plain = sums, cut_sum = {};
    // Terms are below 2^28 and their sum in double is exact.
    const auto add = [&](const Doubles& x) { cut_sum += __builtin_convertvector(__builtin_convertvector(x, Ints), Doubles); };
    add(sums * scale);
    for (int k = 0; k < depth; k++) {
        const Doubles products = b[k] * double(a[k]);
        plain += products;
        add(products * scale);
    }
    for (int j = 0; j < COLUMNS; j++) {
        const double sum = std::fabs(plain[j]) < INFINITY ? cut_sum[j] / scale[j] : plain[j];
        sums[j] = d == Element::F16 ? double(from_f16(f64_to_f16(sum))) : double(cut(sum));
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

// The positions of a form's elements, from the tables.
struct Layout {
    Position a[16][32], b[8][32], c[4][32];  // by element and lane

    static const Layout& of(const MmaForm& form) {
        static const std::array<Layout, 32> all = make_all();
        return all[index(form)];
    }

  private:
    // m is 8 or 16, k 4 to 32, an element has 8 to 64 bits.
    static int index(const MmaForm& form) {
        return form.m / 16 * 16 + (std::countr_zero(unsigned(form.k)) - 2) * 4 + std::countr_zero(unsigned(bits_of(form.a))) - 3;
    }
    static std::array<Layout, 32> make_all() {
        std::array<Layout, 32> all{};
        for (const char* name : {"m16n8k8.row.col.f32.f16.f16.f32", "m16n8k16.row.col.f32.f16.f16.f32",
                                 "m16n8k4.row.col.f32.tf32.tf32.f32", "m16n8k8.row.col.f32.tf32.tf32.f32",
                                 "m8n8k4.row.col.f64.f64.f64.f64", "m16n8k4.row.col.f64.f64.f64.f64",
                                 "m16n8k8.row.col.f64.f64.f64.f64", "m16n8k16.row.col.f64.f64.f64.f64",
                                 "m8n8k16.row.col.s32.s8.s8.s32", "m16n8k16.row.col.s32.s8.s8.s32",
                                 "m16n8k32.row.col.s32.s8.s8.s32"}) {
            const MmaForm form = *MmaForm::parse(name);
            Layout& layout = all[index(form)];
            for (int lane = 0; lane < 32; lane++) {
                for (int i = 0; i < form.a_elements(); i++) layout.a[i][lane] = a_position(form, lane, i);
                for (int i = 0; i < form.b_elements(); i++) layout.b[i][lane] = b_position(form, lane, i);
                for (int i = 0; i < form.c_elements(); i++) layout.c[i][lane] = c_position(form, lane, i);
            }
        }
        return all;
    }
};

inline void multiply_floats(const MmaForm& form, const uint32_t (*a)[32], const uint32_t (*b)[32], const uint32_t (*c)[32],
                            uint32_t (*d)[32], Sums sums) {
    const Layout& layout = Layout::of(form);
    const int per_register = 32 / bits_of(form.a), c_per_register = 32 / bits_of(form.c);
    float values[32], a_matrix[16][16];
    Doubles b_matrix[16], rows[16];
    for (int i = 0; i < form.a_elements(); i++) {
        decode(a[i / per_register], i % per_register, form.a, values);
        for (int lane = 0; lane < 32; lane++) {
            const auto [row, column] = layout.a[i][lane];
            a_matrix[row][column] = values[lane];
        }
    }
    for (int i = 0; i < form.b_elements(); i++) {
        decode(b[i / per_register], i % per_register, form.b, values);
        for (int lane = 0; lane < 32; lane++) {
            const auto [row, column] = layout.b[i][lane];
            b_matrix[row][column] = values[lane];
        }
    }
    for (int i = 0; i < form.c_elements(); i++) {
        decode(c[i / c_per_register], i % c_per_register, form.c, values);
        for (int lane = 0; lane < 32; lane++) {
            const auto [row, column] = layout.c[i][lane];
            rows[row][column] = values[lane];
        }
    }
    if (sums == Sums::EXACT) {
        for (int row = 0; row < form.m; row++) {
            for (int k = 0; k < form.k; k++) {
                rows[row] += b_matrix[k] * double(a_matrix[row][k]);
            }
        }
    } else {
        const int together = sums == Sums::HOPPER ? form.k : std::min(form.k, form.a == Element::TF32 ? 4 : 8);
        const int bits = sums == Sums::HOPPER ? 25 : 24;
        Ints b_exponents[16];
        for (int k = 0; k < form.k; k++) {
            exponents_of(b_matrix[k], form.b, b_exponents[k]);
        }
        for (int row = 0; row < form.m; row++) {
            Doubles halves[2] = {};
            Ints a_exponents[2];
            for (int k = 0; k < form.k; k++) halves[k / COLUMNS][k % COLUMNS] = a_matrix[row][k];
            for (int half = 0; half < 2; half++) exponents_of(halves[half], form.a, a_exponents[half]);
            for (int k = 0; k < form.k; k += together) {
                add_cut(rows[row], a_matrix[row] + k, reinterpret_cast<const int*>(a_exponents) + k, b_matrix + k, b_exponents + k, together, bits, form.d);
            }
        }
    }
    for (int i = 0; i < form.c_elements(); i++) {
        for (int lane = 0; lane < 32; lane++) {
            const auto [row, column] = layout.c[i][lane];
            const double x = rows[row][column];
            if (form.d == Element::F32) {
                d[i][lane] = bits_of(float(x));
            } else {
                const uint32_t half = f64_to_f16(x);
                d[i / 2][lane] = i % 2 ? (d[i / 2][lane] & 0xFFFF) | half << 16 : half;
            }
        }
    }
}

inline void multiply_integers(const MmaForm& form, const uint32_t (*a)[32], const uint32_t (*b)[32], const uint32_t (*c)[32],
                              uint32_t (*d)[32]) {
    const Layout& layout = Layout::of(form);
    const auto byte = [](uint32_t bits, int i, Element type) {
        return type == Element::S8 ? int(int8_t(bits >> 8 * i)) : int(uint8_t(bits >> 8 * i));
    };
    int a_matrix[16][32], b_matrix[32][COLUMNS];
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.a_elements(); i++) {
            const auto [row, column] = layout.a[i][lane];
            a_matrix[row][column] = byte(a[i / 4][lane], i % 4, form.a);
        }
        for (int i = 0; i < form.b_elements(); i++) {
            const auto [row, column] = layout.b[i][lane];
            b_matrix[row][column] = byte(b[i / 4][lane], i % 4, form.b);
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.c_elements(); i++) {
            const auto [row, column] = layout.c[i][lane];
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
    const detail::Layout& layout = detail::Layout::of(form);
    uint64_t a_matrix[16][16], b_matrix[16][detail::COLUMNS];
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.a_elements(); i++) {
            const auto [row, column] = layout.a[i][lane];
            a_matrix[row][column] = a[i][lane];
        }
        for (int i = 0; i < form.b_elements(); i++) {
            const auto [row, column] = layout.b[i][lane];
            b_matrix[row][column] = b[i][lane];
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.c_elements(); i++) {
            const auto [row, column] = layout.c[i][lane];
            uint64_t sum = c[i][lane];
            for (int k = 0; k < form.k; k++) {
                sum = fma_f64(a_matrix[row][k], b_matrix[k][column], sum, round);
            }
            d[i][lane] = sum;
        }
    }
}

}  // namespace ptx
