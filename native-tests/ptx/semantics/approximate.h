// SPDX-License-Identifier: Apache-2.0
// The approximate functions of PTX: the right value, or with a seed another one within the error that the ISA allows (PTX ISA
// 9.0, sections 9.7.3.13 to 22, 9.7.4.9 and 10), so that what relies on more accuracy shows. What the ISA's tables say of
// special operands holds with every seed.
#pragma once
#include <cmath>

#include "arithmetic.h"

namespace ptx {

// A number from -1 to 1 that depends on the seed, the function and its operand; 0 for the seed 0.
inline double chance(uint64_t seed, uint64_t function, uint64_t bits) {
    if (seed == 0) {
        return 0;
    }
    uint64_t x = (seed * 0x9E3779B97F4A7C15 + function) * 0xBF58476D1CE4E5B9 ^ bits;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return double(int64_t(x ^ x >> 31)) * 0x1p-63;
}

enum Approximated : uint64_t { EX2 = 1, LG2, RCP, RSQRT, SQRT, SIN, COS, TANH, DIV, HALF_EX2, HALF_TANH };

// The largest relative error of rounding a normal number to a float.
constexpr double HALF_ULP = 0x1p-24;

inline bool is_zero_or_not_finite(double x) { return x == 0 || !(std::fabs(x) < INFINITY); }

// `exact` with a relative error of at most `bound`, rounding included.
inline float within(double exact, double bound, double chance) {
    return float(is_zero_or_not_finite(exact) ? exact : exact * (1 + (bound - HALF_ULP) * chance));
}

// The distance of floats at |x|.
inline double ulp(double x) { return std::ldexp(1.0, std::max(std::ilogb(x), -126) - 23); }

// `exact` with an error of at most `bound` units in the last place, rounding included.
inline float within_ulps(double exact, double bound, double chance) {
    return float(is_zero_or_not_finite(exact) ? exact : exact + (bound - 0.5) * chance * ulp(exact));
}

// At most 2 ulps from the correctly rounded result. 2 to the power of 0 is 1.
inline uint32_t ex2_approx(uint32_t a, bool ftz, uint64_t seed) {
    const float x = f32(flushed(a, ftz));
    const float right = float(std::exp2(double(x)));
    if (seed == 0 || x == 0 || is_zero_or_not_finite(right)) {
        return flushed(bits_of(right), ftz);
    }
    const int64_t moved = int64_t(bits_of(right)) + std::lrint(2 * chance(seed, EX2, a));
    return flushed(uint32_t(std::clamp<int64_t>(moved, 0, 0x7F7FFFFF)), ftz);
}

// An absolute error of at most 2^-22 between 0.5 and 2, a relative one elsewhere.
inline uint32_t lg2_approx(uint32_t a, bool ftz, uint64_t seed) {
    const float x = f32(flushed(a, ftz));
    const double exact = std::log2(double(x)), u = chance(seed, LG2, a);
    if (x > 0.5f && x < 2) {
        return flushed(bits_of(float(exact + (0x1p-22 - ulp(exact) / 2) * u)), ftz);
    }
    return flushed(bits_of(within(exact, 0x1p-22, u)), ftz);
}

inline uint32_t rcp_approx(uint32_t a, bool ftz, uint64_t seed) {
    return flushed(bits_of(within_ulps(1 / double(f32(flushed(a, ftz))), 1, chance(seed, RCP, a))), ftz);
}
inline uint32_t sqrt_approx(uint32_t a, bool ftz, uint64_t seed) {
    return flushed(bits_of(within(std::sqrt(double(f32(flushed(a, ftz)))), 0x1p-23, chance(seed, SQRT, a))), ftz);
}
inline uint32_t rsqrt_approx(uint32_t a, bool ftz, uint64_t seed) {
    static const double bound = std::exp2(-22.9);
    return flushed(bits_of(within(1 / std::sqrt(double(f32(flushed(a, ftz)))), bound, chance(seed, RSQRT, a))), ftz);
}

// Sine and cosine: an absolute error of at most 2^-20.5 up to 2 pi and 2^-14.7 up to 100 pi. Farther out the ISA promises
// nothing; there the error grows as that of a float's reduction to a period does.
inline uint32_t wave_approx(uint32_t a, double exact, Approximated function, bool ftz, uint64_t seed) {
    static const double near = std::exp2(-20.5), far = std::exp2(-14.7);
    const double x = std::fabs(f32(a));
    const double bound = x <= 2 * M_PI ? near : x <= 100 * M_PI ? far : far * x / (100 * M_PI);
    const double moved = exact + (bound - HALF_ULP) * chance(seed, function, a);
    return flushed(bits_of(float(x == 0 ? exact : std::fabs(exact) <= 1 ? std::clamp(moved, -1.0, 1.0) : exact)), ftz);
}
inline uint32_t sin_approx(uint32_t a, bool ftz, uint64_t seed) {
    a = flushed(a, ftz);
    return wave_approx(a, std::sin(double(f32(a))), SIN, ftz, seed);
}
inline uint32_t cos_approx(uint32_t a, bool ftz, uint64_t seed) {
    a = flushed(a, ftz);
    return wave_approx(a, std::cos(double(f32(a))), COS, ftz, seed);
}

// A relative error of at most 2^-11. Subnormal numbers pass through.
inline uint32_t tanh_approx(uint32_t a, uint64_t seed) {
    if ((a & 0x7F800000) == 0 || (a & 0x7FFFFFFF) == 0x7F800000) {
        return bits_of(float(std::tanh(double(f32(a)))));
    }
    const float moved = within(std::tanh(double(f32(a))), 0x1p-11, chance(seed, TANH, a));
    return bits_of(std::clamp(moved, -1.0f, 1.0f));
}

// div.full: at most 2 ulps. div.approx: the same if |b| is from 2^-126 to 2^126; a larger one is taken for infinite.
inline uint32_t div_full(uint32_t a, uint32_t b, bool ftz, uint64_t seed) {
    const double quotient = double(f32(flushed(a, ftz))) / double(f32(flushed(b, ftz)));
    return flushed(bits_of(within_ulps(quotient, 2, chance(seed, DIV, uint64_t(a) << 32 | b))), ftz);
}
inline uint32_t div_approx(uint32_t a, uint32_t b, bool ftz, uint64_t seed) {
    const float divisor = f32(b);
    if (std::fabs(divisor) > 0x1p126f && std::fabs(divisor) < INFINITY) {
        const bool nan = !(std::fabs(f32(a)) < INFINITY);
        return nan ? NAN_F32 : (a ^ b) & 0x80000000;
    }
    return div_full(a, b, ftz, seed);
}

// 2 to a power in 16 bits: a relative error of at most 2^-9.9 of .f16 and 2^-7 of .bf16, which flushes subnormal numbers.
inline uint16_t ex2_approx_float16(uint16_t a, Float16 format, uint64_t seed) {
    static const double f16_bound = std::exp2(-9.9);
    const bool f16 = format == Float16::F16;
    const double x = from_float16(a, format), exact = std::exp2(x), bound = f16 ? f16_bound - 0x1p-11 : 0x1p-7 - 0x1p-8;
    const bool special = x == 0 || is_zero_or_not_finite(exact);
    const uint16_t d = to_float16(special ? exact : exact * (1 + bound * chance(seed, HALF_EX2, a)), format);
    return !f16 && (d & 0x7F80) == 0 ? d & 0x8000 : d;
}

// An absolute error of at most 2^-10.987 of .f16 and 2^-8 of .bf16, of which rounding takes the second part.
inline uint16_t tanh_approx_float16(uint16_t a, Float16 format, uint64_t seed) {
    static const double f16_bound = std::exp2(-10.987);
    const double x = from_float16(a, format), exact = std::tanh(x);
    const double bound = format == Float16::F16 ? f16_bound - 0x1p-12 : 0x1p-8 - 0x1p-9;
    if (is_zero_or_not_finite(x)) {
        return to_float16(exact, format);
    }
    return to_float16(std::clamp(exact + bound * chance(seed, HALF_TANH, a), -1.0, 1.0), format);
}

}  // namespace ptx
