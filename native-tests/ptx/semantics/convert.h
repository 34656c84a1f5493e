// SPDX-License-Identifier: Apache-2.0
// cvt: conversions between number formats (PTX ISA 9.0, section 9.7.9.21). Formats narrower than a register are the low bits of
// what is returned.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include "rounding.h"

namespace ptx {

// ---- f16, bf16, tf32 and f32 ----

inline float from_f16(uint16_t bits) { return _cvtsh_ss(bits); }
inline float from_bf16(uint16_t bits) { return f32(uint32_t(bits) << 16); }
// What tensor cores see of a register: 10 bits of mantissa.
inline float from_tf32(uint32_t bits) { return f32(bits & 0xFFFFE000); }

inline uint16_t to_f16(float x, Round round = Round::RN) {
    if (x != x) {
        return NAN_F16;
    }
    switch (round) {
        case Round::RZ: return _cvtss_sh(x, _MM_FROUND_TO_ZERO);
        case Round::RM: return _cvtss_sh(x, _MM_FROUND_TO_NEG_INF);
        case Round::RP: return _cvtss_sh(x, _MM_FROUND_TO_POS_INF);
        default: return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
    }
}

// The bits of a number that is no NaN, rounded to a format of its own exponents, with `dropped` bits of mantissa fewer.
inline uint32_t drop_bits(uint32_t bits, int dropped, Round round) {
    const uint32_t rest = (1u << dropped) - 1, half = 1u << (dropped - 1);
    const bool away = round == (bits >> 31 ? Round::RM : Round::RP);
    const uint32_t more = round == Round::RN    ? half - 1 + (bits >> dropped & 1)
                          : round == Round::RNA ? half
                          : away                ? rest
                                                : 0;
    return (bits & 0x7F800000) == 0x7F800000 ? bits : (bits + more) & ~rest;
}

inline uint16_t to_bf16(float x, Round round = Round::RN) {
    return x != x ? NAN_BF16 : uint16_t(drop_bits(std::bit_cast<uint32_t>(x), 16, round) >> 16);
}
inline uint32_t to_tf32(float x, Round round = Round::RNA) {
    return x != x ? NAN_F32 : drop_bits(std::bit_cast<uint32_t>(x), 13, round);
}

// ---- .relu and .satfinite ----

// Negative numbers and -0 become +0. A NaN is canonical already.
template <std::unsigned_integral T>
T relu(T bits, T nan) {
    return bits == nan || bits >> (8 * sizeof(T) - 1) == 0 ? bits : T(0);
}

// Infinity and what is beyond the largest number become that number; NaN stays. `largest` is that of the format.
inline float satfinite(float x, float largest) { return x > largest ? largest : x < -largest ? -largest : x; }
constexpr float MAX_F16 = 65504, MAX_BF16 = 0x1.FEp127f, MAX_TF32 = 0x1.FFCp127f;

// ---- f64 ----

// Rounded to odd: what is not exact gets an odd last bit, so that rounding again to fewer bits errs in no mode.
inline float odd_f32(double x) {
    const float toward_zero = rounded(Round::RZ, [](double value) { return float(value); }, x);
    const bool exact = double(toward_zero) == x || x != x;
    return exact ? toward_zero : f32(std::bit_cast<uint32_t>(toward_zero) | 1);
}

inline uint32_t f64_to_f32(double x, FloatModes modes = {}) {
    return finished(rounded(modes.round, [](double value) { return float(value); }, x), modes);
}
inline uint16_t f64_to_f16(double x, Round round = Round::RN) { return to_f16(odd_f32(x), round); }
inline uint16_t f64_to_bf16(double x, Round round = Round::RN) { return to_bf16(odd_f32(x), round); }

// ---- 8 bits ----

// .e4m3 has no infinity and one NaN of each sign, .e5m2 is as IEEE has it.
enum class Float8 { E4M3, E5M2 };

inline float from_float8(uint8_t bits, Float8 format) {
    if (format == Float8::E5M2) {
        return from_f16(uint16_t(bits << 8));
    }
    const int exponent = bits >> 3 & 15, mantissa = bits & 7;
    if ((bits & 0x7F) == 0x7F) {
        return f32(NAN_F32);
    }
    const float magnitude = exponent ? std::ldexp(float(8 + mantissa), exponent - 10) : std::ldexp(float(mantissa), -9);
    return bits & 0x80 ? -magnitude : magnitude;
}

// To nearest and finite, as the only modifiers that the ISA allows say.
inline uint8_t to_float8(float x, Float8 format) {
    if (x != x) {
        return 0x7F;
    }
    const bool e4m3 = format == Float8::E4M3;
    const int mantissa_bits = e4m3 ? 3 : 2, least_exponent = e4m3 ? -6 : -14;
    const float largest = e4m3 ? 448 : 57344, magnitude = std::min(std::fabs(x), largest);
    const uint8_t sign = uint8_t(std::bit_cast<uint32_t>(x) >> 24 & 0x80);
    const int exponent = magnitude == 0 ? least_exponent : std::max(std::ilogb(magnitude), least_exponent);
    // In units of the last place; a mantissa that rounds up to the next power of two carries into the exponent.
    const int units = int(std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent)));
    return uint8_t(sign | (units + ((exponent - least_exponent) << mantissa_bits)));
}

// ---- integers ----

inline double integral(double x, Round round) {
    switch (round) {
        case Round::RZ: return __builtin_trunc(x);
        case Round::RM: return __builtin_floor(x);
        case Round::RP: return __builtin_ceil(x);
        default: return __builtin_rint(x);
    }
}

// cvt.rni.f32.f32 and the like.
inline uint32_t integral_f32(uint32_t a, FloatModes modes) {
    return finished(float(integral(f32(flushed(a, modes.ftz)), modes.round)), modes);
}

// A float to an integer, clamped to its range. `from_f64` is whether the float's type is .f64.
template <std::integral To>
To to_integer(double x, Round round, bool from_f64) {
    if (x != x) {
        return from_f64 || sizeof(To) == 8 ? To(std::make_unsigned_t<To>(1) << (8 * sizeof(To) - 1)) : To(0);
    }
    const double r = integral(x, round), past = std::ldexp(1.0, std::numeric_limits<To>::digits);
    return r >= past                   ? std::numeric_limits<To>::max()
           : std::is_signed_v<To>      ? r < -past ? std::numeric_limits<To>::min() : To(r)
           : r <= 0                    ? To(0)
           : sizeof(To) == 8           ? To(uint64_t(r))
                                       : To(int64_t(r));
}

template <std::integral To>
To f32_to_integer(uint32_t a, Round round, bool ftz = false) {
    return to_integer<To>(f32(flushed(a, ftz)), round, false);
}

// An integer as a double, rounded to odd if it doesn't fit.
template <std::integral From>
double odd_f64(From x) {
    if constexpr (sizeof(From) < 8) {
        return double(x);
    } else {
        const bool negative = x < 0;
        uint64_t magnitude = negative ? 0 - uint64_t(x) : uint64_t(x);
        const int dropped = std::max(0, 11 - std::countl_zero(magnitude));
        const uint64_t kept = magnitude >> dropped << dropped;
        magnitude = kept | (kept != magnitude ? uint64_t(1) << dropped : 0);
        return negative ? -double(magnitude) : double(magnitude);
    }
}
template <std::integral From>
uint32_t integer_to_f32(From x, Round round = Round::RN) {
    return f64_to_f32(odd_f64(x), {round});
}
template <std::integral From>
uint64_t integer_to_f64(From x, Round round = Round::RN) {
    return bits_of(rounded(round, [](From value) { return double(value); }, x));
}
template <std::integral From>
uint16_t integer_to_f16(From x, Round round = Round::RN) {
    return f64_to_f16(odd_f64(x), round);
}
template <std::integral From>
uint16_t integer_to_bf16(From x, Round round = Round::RN) {
    return f64_to_bf16(odd_f64(x), round);
}

// .sat between integers: clamped to the range of the destination.
template <std::integral To, std::integral From>
constexpr To saturate_integer(From x) {
    using Limits = std::numeric_limits<To>;
    return std::cmp_less(x, Limits::min()) ? Limits::min() : std::cmp_greater(x, Limits::max()) ? Limits::max() : To(x);
}

}  // namespace ptx
