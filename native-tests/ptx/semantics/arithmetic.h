// SPDX-License-Identifier: Apache-2.0
// Floating-point arithmetic of PTX that is defined to the last bit (PTX ISA 9.0, sections 9.7.3 and 9.7.4).
#pragma once
#include <cmath>

#include "convert.h"

namespace ptx {

// ---- f32 ----

inline uint32_t add_f32(uint32_t a, uint32_t b, FloatModes m = {}) {
    return finished(rounded(m.round, [](float x, float y) { return x + y; }, f32(flushed(a, m.ftz)), f32(flushed(b, m.ftz))),
        m);
}
inline uint32_t sub_f32(uint32_t a, uint32_t b, FloatModes m = {}) {
    return finished(rounded(m.round, [](float x, float y) { return x - y; }, f32(flushed(a, m.ftz)), f32(flushed(b, m.ftz))),
        m);
}
inline uint32_t mul_f32(uint32_t a, uint32_t b, FloatModes m = {}) {
    return finished(rounded(m.round, [](float x, float y) { return x * y; }, f32(flushed(a, m.ftz)), f32(flushed(b, m.ftz))),
        m);
}
inline uint32_t fma_f32(uint32_t a, uint32_t b, uint32_t c, FloatModes m = {}) {
    return finished(rounded(m.round, [](float x, float y, float z) { return __builtin_fmaf(x, y, z); }, f32(flushed(a, m.ftz)),
                            f32(flushed(b, m.ftz)), f32(flushed(c, m.ftz))), m);
}
inline uint32_t div_f32(uint32_t a, uint32_t b, FloatModes m = {}) {
    return finished(rounded(m.round, [](float x, float y) { return x / y; }, f32(flushed(a, m.ftz)), f32(flushed(b, m.ftz))),
        m);
}
inline uint32_t rcp_f32(uint32_t a, FloatModes m = {}) { return div_f32(0x3F800000, a, m); }
inline uint32_t sqrt_f32(uint32_t a, FloatModes m = {}) {
    return finished(rounded(m.round, [](float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }, f32(flushed(a, m.ftz))),
        m);
}
inline uint32_t neg_f32(uint32_t a, bool ftz = false) { return flushed(a, ftz) ^ 0x80000000; }
inline uint32_t abs_f32(uint32_t a, bool ftz = false) { return flushed(a, ftz) & 0x7FFFFFFF; }
// The sign of `a` and the magnitude of `b`.
inline uint32_t copysign_f32(uint32_t a, uint32_t b) { return (a & 0x80000000) | (b & 0x7FFFFFFF); }

struct MinMaxModes {
    bool ftz = false;
    bool nan = false;          // .NaN: one NaN is enough
    bool xorsign_abs = false;  // .xorsign.abs
};

// Of bits of the format that sort as signed magnitudes, -0 before +0.
template <class T, T NOT_A_NUMBER, T INFINITE>
T minmax(T a, T b, bool greater, bool nan, bool xorsign_abs) {
    constexpr T SIGN = T(T(1) << (8 * sizeof(T) - 1)), MAGNITUDE = T(~SIGN);
    const T sign = (a ^ b) & SIGN;
    if (xorsign_abs) {
        a &= MAGNITUDE;
        b &= MAGNITUDE;
    }
    const bool a_nan = (a & MAGNITUDE) > INFINITE, b_nan = (b & MAGNITUDE) > INFINITE;
    if ((a_nan && b_nan) || (nan && (a_nan || b_nan))) {
        return NOT_A_NUMBER;
    }
    const auto key = [](T x) { return x & SIGN ? -int64_t(x & MAGNITUDE) - 1 : int64_t(x); };
    const T d = a_nan ? b : b_nan ? a : (key(a) < key(b)) != greater ? a : b;
    return xorsign_abs ? T((d & MAGNITUDE) | sign) : d;
}

inline uint32_t min_f32(uint32_t a, uint32_t b, MinMaxModes m = {}) {
    return minmax<uint32_t, NAN_F32, 0x7F800000>(flushed(a, m.ftz), flushed(b, m.ftz), false, m.nan, m.xorsign_abs);
}
inline uint32_t max_f32(uint32_t a, uint32_t b, MinMaxModes m = {}) {
    return minmax<uint32_t, NAN_F32, 0x7F800000>(flushed(a, m.ftz), flushed(b, m.ftz), true, m.nan, m.xorsign_abs);
}

// ---- f64 ----

inline uint64_t add_f64(uint64_t a, uint64_t b, Round round = Round::RN) {
    return bits_of(rounded(round, [](double x, double y) { return x + y; }, f64(a), f64(b)));
}
inline uint64_t sub_f64(uint64_t a, uint64_t b, Round round = Round::RN) {
    return bits_of(rounded(round, [](double x, double y) { return x - y; }, f64(a), f64(b)));
}
inline uint64_t mul_f64(uint64_t a, uint64_t b, Round round = Round::RN) {
    return bits_of(rounded(round, [](double x, double y) { return x * y; }, f64(a), f64(b)));
}
inline uint64_t fma_f64(uint64_t a, uint64_t b, uint64_t c, Round round = Round::RN) {
    return bits_of(rounded(round, [](double x, double y, double z) { return __builtin_fma(x, y, z); }, f64(a), f64(b), f64(c)));
}
inline uint64_t div_f64(uint64_t a, uint64_t b, Round round = Round::RN) {
    return bits_of(rounded(round, [](double x, double y) { return x / y; }, f64(a), f64(b)));
}
inline uint64_t rcp_f64(uint64_t a, Round round = Round::RN) { return div_f64(bits_of(1.0), a, round); }
inline uint64_t sqrt_f64(uint64_t a, Round round = Round::RN) {
    return bits_of(rounded(round, [](double x) { return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x))); },
        f64(a)));
}
inline uint64_t neg_f64(uint64_t a) { return a ^ uint64_t(1) << 63; }
inline uint64_t abs_f64(uint64_t a) { return a & ~(uint64_t(1) << 63); }
inline uint64_t copysign_f64(uint64_t a, uint64_t b) { return (a & uint64_t(1) << 63) | abs_f64(b); }

constexpr uint64_t NAN_F64 = 0x7FFFFFFFFFFFFFFF, INFINITY_F64 = 0x7FF0000000000000;
inline uint64_t min_f64(uint64_t a, uint64_t b) { return minmax<uint64_t, NAN_F64, INFINITY_F64>(a, b, false, false, false); }
inline uint64_t max_f64(uint64_t a, uint64_t b) { return minmax<uint64_t, NAN_F64, INFINITY_F64>(a, b, true, false, false); }

// ---- f16 and bf16: one number in 16 bits, or two in a register ----

enum class Float16 { F16, BF16 };

struct HalfModes {
    bool ftz = false, sat = false;  // of .f16 alone
    bool relu = false;
};

inline float from_float16(uint16_t bits, Float16 format) { return format == Float16::F16 ? from_f16(bits) : from_bf16(bits); }
inline uint16_t to_float16(double x, Float16 format) { return format == Float16::F16 ? f64_to_f16(x) : f64_to_bf16(x); }
inline uint16_t flushed_f16(uint16_t bits, bool ftz) { return ftz && (bits & 0x7C00) == 0 ? bits & 0x8000 : bits; }

inline uint16_t finished_float16(double x, Float16 format, HalfModes m) {
    uint16_t bits = flushed_f16(to_float16(x, format), m.ftz);
    if (m.sat) {
        bits = !(x > 0) ? 0 : x > 1 ? 0x3C00 : bits;
    }
    return m.relu ? relu(bits, NAN_F16) : bits;
}

// x + y, rounded to odd if it is not exact.
inline double odd_sum(double x, double y) {
    const double sum = x + y, of_y = sum - x, error = (x - (sum - of_y)) + (y - of_y);
    const uint64_t bits = bits_of(sum);
    if (!(std::fabs(sum) < INFINITY) || error == 0 || bits & 1) {
        return sum;
    }
    return f64((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

// Rounded once: the product is exact in double.
inline uint16_t fma_float16(uint16_t a, uint16_t b, uint16_t c, Float16 format, HalfModes m = {}) {
    const double x = from_float16(flushed_f16(a, m.ftz), format), y = from_float16(flushed_f16(b, m.ftz), format);
    return finished_float16(odd_sum(x * y, from_float16(flushed_f16(c, m.ftz), format)), format, m);
}
inline uint16_t add_float16(uint16_t a, uint16_t b, Float16 format, HalfModes m = {}) {
    return fma_float16(a, format == Float16::F16 ? 0x3C00 : 0x3F80, b, format, m);
}
inline uint16_t sub_float16(uint16_t a, uint16_t b, Float16 format, HalfModes m = {}) {
    return add_float16(a, b ^ 0x8000, format, m);
}
inline uint16_t mul_float16(uint16_t a, uint16_t b, Float16 format, HalfModes m = {}) {
    return fma_float16(a, b, 0x8000, format, m);
}
inline uint16_t minmax_float16(uint16_t a, uint16_t b, bool greater, Float16 format, MinMaxModes m = {}) {
    a = flushed_f16(a, m.ftz);
    b = flushed_f16(b, m.ftz);
    return format == Float16::F16 ? minmax<uint16_t, NAN_F16, 0x7C00>(a, b, greater, m.nan, m.xorsign_abs)
                                  : minmax<uint16_t, NAN_BF16, 0x7F80>(a, b, greater, m.nan, m.xorsign_abs);
}
inline uint16_t min_float16(uint16_t a, uint16_t b, Float16 format, MinMaxModes m = {}) {
    return minmax_float16(a, b, false, format, m);
}
inline uint16_t max_float16(uint16_t a, uint16_t b, Float16 format, MinMaxModes m = {}) {
    return minmax_float16(a, b, true, format, m);
}

// A function of 16 bits on both halves of registers: .f16x2 and .bf16x2.
template <class Function, class... T>
uint32_t on_halves(Function function, T... registers) {
    return function(uint16_t(registers)...) | uint32_t(function(uint16_t(registers >> 16)...)) << 16;
}

}  // namespace ptx
