// SPDX-License-Identifier: Apache-2.0
#include "decode.h"
#include "semantics/arithmetic.h"

namespace ptx {

namespace {

// Adds NAME[.ROUND][.ftz][.sat].f32 for every rounding mode; without one it is .rn.
template <FloatModes MODES>
void add_f32(Forms& forms, const std::string& rounding) {
    const std::string suffix = rounding + (MODES.ftz ? ".ftz" : "") + (MODES.sat ? ".sat" : "") + ".f32";
    constexpr Class FLOAT = Class::FLOAT;
    forms.add("add" + suffix, [](uint32_t a, uint32_t b) { return add_f32(a, b, MODES); }, FLOAT);
    forms.add("sub" + suffix, [](uint32_t a, uint32_t b) { return sub_f32(a, b, MODES); }, FLOAT);
    forms.add("mul" + suffix, [](uint32_t a, uint32_t b) { return mul_f32(a, b, MODES); }, FLOAT);
    forms.add("fma" + suffix, [](uint32_t a, uint32_t b, uint32_t c) { return fma_f32(a, b, c, MODES); }, FLOAT);
    forms.add("mad" + suffix, [](uint32_t a, uint32_t b, uint32_t c) { return fma_f32(a, b, c, MODES); }, FLOAT);
    if constexpr (!MODES.sat) {
        forms.add("div" + suffix, [](uint32_t a, uint32_t b) { return div_f32(a, b, MODES); }, Class::SPECIAL);
        forms.add("rcp" + suffix, [](uint32_t a) { return rcp_f32(a, MODES); }, Class::SPECIAL);
        forms.add("sqrt" + suffix, [](uint32_t a) { return sqrt_f32(a, MODES); }, Class::SPECIAL);
    }
}

template <Round ROUND>
void add_rounding(Forms& forms, const std::string& rounding) {
    add_f32<FloatModes{ROUND, false, false}>(forms, rounding);
    add_f32<FloatModes{ROUND, true, false}>(forms, rounding);
    add_f32<FloatModes{ROUND, false, true}>(forms, rounding);
    add_f32<FloatModes{ROUND, true, true}>(forms, rounding);
    constexpr Class DOUBLE = Class::DOUBLE;
    forms.add("add" + rounding + ".f64", [](uint64_t a, uint64_t b) { return add_f64(a, b, ROUND); }, DOUBLE);
    forms.add("sub" + rounding + ".f64", [](uint64_t a, uint64_t b) { return sub_f64(a, b, ROUND); }, DOUBLE);
    forms.add("mul" + rounding + ".f64", [](uint64_t a, uint64_t b) { return mul_f64(a, b, ROUND); }, DOUBLE);
    forms.add("fma" + rounding + ".f64", [](uint64_t a, uint64_t b, uint64_t c) { return fma_f64(a, b, c, ROUND); }, DOUBLE);
    forms.add("div" + rounding + ".f64", [](uint64_t a, uint64_t b) { return div_f64(a, b, ROUND); }, DOUBLE);
    forms.add("rcp" + rounding + ".f64", [](uint64_t a) { return rcp_f64(a, ROUND); }, DOUBLE);
    forms.add("sqrt" + rounding + ".f64", [](uint64_t a) { return sqrt_f64(a, ROUND); }, DOUBLE);
}

// The same as min_f32 and max_f32, without branches.
template <bool GREATER>
uint32_t minmax_f32(uint32_t a, uint32_t b) {
    const auto key = [](uint32_t x) { return int32_t(x ^ (uint32_t(int32_t(x) >> 31) & 0x7FFFFFFF)); };  // -0 before +0
    const bool a_nan = is_nan(a), b_nan = is_nan(b);
    const uint32_t picked = (key(a) < key(b)) != GREATER ? a : b;
    const uint32_t number = a_nan ? b : b_nan ? a : picked;
    return a_nan & b_nan ? NAN_F32 : number;
}

template <MinMaxModes MODES>
void add_minmax(Forms& forms) {
    const std::string suffix = std::string(MODES.ftz ? ".ftz" : "") + (MODES.nan ? ".NaN" : "")
        + (MODES.xorsign_abs ? ".xorsign.abs" : "") + ".f32";
    forms.add("min" + suffix, [](uint32_t a, uint32_t b) { return min_f32(a, b, MODES); }, Class::FLOAT);
    forms.add("max" + suffix, [](uint32_t a, uint32_t b) { return max_f32(a, b, MODES); }, Class::FLOAT);
}

}  // namespace

void add_float_forms(Forms& forms) {
    add_rounding<Round::RN>(forms, "");
    add_rounding<Round::RN>(forms, ".rn");
    add_rounding<Round::RZ>(forms, ".rz");
    add_rounding<Round::RM>(forms, ".rm");
    add_rounding<Round::RP>(forms, ".rp");
    add_minmax<MinMaxModes{false, false, false}>(forms);
    add_minmax<MinMaxModes{true, false, false}>(forms);
    add_minmax<MinMaxModes{false, true, false}>(forms);
    add_minmax<MinMaxModes{true, true, false}>(forms);
    add_minmax<MinMaxModes{false, false, true}>(forms);
    add_minmax<MinMaxModes{false, true, true}>(forms);
    constexpr Class FLOAT = Class::FLOAT, DOUBLE = Class::DOUBLE;
    forms.add("min.f32", [](uint32_t a, uint32_t b) { return minmax_f32<false>(a, b); }, FLOAT);
    forms.add("max.f32", [](uint32_t a, uint32_t b) { return minmax_f32<true>(a, b); }, FLOAT);
    forms.add("neg.f32", [](uint32_t a) { return neg_f32(a); }, FLOAT);
    forms.add("neg.ftz.f32", [](uint32_t a) { return neg_f32(a, true); }, FLOAT);
    forms.add("abs.f32", [](uint32_t a) { return abs_f32(a); }, FLOAT);
    forms.add("abs.ftz.f32", [](uint32_t a) { return abs_f32(a, true); }, FLOAT);
    forms.add("copysign.f32", [](uint32_t a, uint32_t b) { return copysign_f32(a, b); }, FLOAT);
    forms.add("neg.f64", [](uint64_t a) { return neg_f64(a); }, DOUBLE);
    forms.add("abs.f64", [](uint64_t a) { return abs_f64(a); }, DOUBLE);
    forms.add("copysign.f64", [](uint64_t a, uint64_t b) { return copysign_f64(a, b); }, DOUBLE);
    forms.add("min.f64", [](uint64_t a, uint64_t b) { return min_f64(a, b); }, DOUBLE);
    forms.add("max.f64", [](uint64_t a, uint64_t b) { return max_f64(a, b); }, DOUBLE);
    // .finite, .infinite, .number, .notanumber, .normal, .subnormal
    constexpr uint32_t INF = 0x7F800000, TINY = 0x00800000;
    forms.add("testp.finite.f32", [](uint32_t a) { return (a & INF) != INF; }, FLOAT);
    forms.add("testp.infinite.f32", [](uint32_t a) { return (a & 0x7FFFFFFF) == INF; }, FLOAT);
    forms.add("testp.number.f32", [](uint32_t a) { return !is_nan(a); }, FLOAT);
    forms.add("testp.notanumber.f32", [](uint32_t a) { return is_nan(a); }, FLOAT);
    forms.add("testp.normal.f32", [](uint32_t a) { return (a & INF) != INF && (a & INF) >= TINY; }, FLOAT);
    forms.add("testp.subnormal.f32", [](uint32_t a) { return (a & INF) == 0 && (a & 0x7FFFFFFF) != 0; }, FLOAT);
}

}  // namespace ptx
