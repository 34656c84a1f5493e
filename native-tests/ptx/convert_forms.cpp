// SPDX-License-Identifier: Apache-2.0
#include "decode.h"
#include "integer_types.h"
#include "semantics/arithmetic.h"

namespace ptx {

namespace {

constexpr Class CONVERT = Class::CONVERT;

void add_integers(Forms& forms) {
    each_integer([&]<class To>(Type<To>, const std::string& to) {
        each_integer([&]<class From>(Type<From>, const std::string& from) {
            forms.add("cvt" + to + from, [](Register<From> a) { return Register<To>(To(From(a))); }, CONVERT);
            forms.add("cvt.sat" + to + from, [](Register<From> a) { return Register<To>(saturate_integer<To>(From(a))); },
                      CONVERT);
        });
    });
}

// To narrow integers by truncation alone: nvcc gives nothing else.
template <Round ROUND>
void add_float_to_integer(Forms& forms, const std::string& rounding) {
    const auto each = [](auto f) { if constexpr (ROUND == Round::RZ) each_integer(f); else each_wide_integer(f); };
    each([&]<class To>(Type<To>, const std::string& to) {
        forms.add("cvt" + rounding + to + ".f32", [](uint32_t a) { return Register<To>(f32_to_integer<To>(a, ROUND)); },
                  CONVERT);
        forms.add("cvt" + rounding + ".ftz" + to + ".f32",
                  [](uint32_t a) { return Register<To>(f32_to_integer<To>(a, ROUND, true)); }, CONVERT);
        forms.add("cvt" + rounding + to + ".f64", [](uint64_t a) { return Register<To>(to_integer<To>(f64(a), ROUND, true)); },
                  CONVERT);
        forms.add("cvt" + rounding + to + ".f16", [](uint16_t a) { return Register<To>(to_integer<To>(from_f16(a), ROUND,
            false)); }, CONVERT);
        forms.add("cvt" + rounding + to + ".bf16",
                  [](uint16_t a) { return Register<To>(to_integer<To>(from_bf16(a), ROUND, false)); }, CONVERT);
    });
    forms.add("cvt" + rounding + ".f32.f32", [](uint32_t a) { return integral_f32(a, {ROUND}); }, CONVERT);
    forms.add("cvt" + rounding + ".ftz.f32.f32", [](uint32_t a) { return integral_f32(a, {ROUND, true}); }, CONVERT);
    forms.add("cvt" + rounding + ".sat.f32.f32", [](uint32_t a) { return integral_f32(a, {ROUND, false, true}); }, CONVERT);
    forms.add("cvt" + rounding + ".f64.f64", [](uint64_t a) { return bits_of(integral(f64(a), ROUND)); }, CONVERT);
    forms.add("cvt" + rounding + ".f16.f16", [](uint16_t a) { return to_f16(float(integral(from_f16(a), ROUND))); }, CONVERT);
}

template <Round ROUND>
void add_to_float(Forms& forms, const std::string& rounding) {
    const auto each = [](auto f) { if constexpr (ROUND == Round::RN) each_integer(f); else each_wide_integer(f); };
    each([&]<class From>(Type<From>, const std::string& from) {
        forms.add("cvt" + rounding + ".f32" + from, [](Register<From> a) { return integer_to_f32(From(a), ROUND); }, CONVERT);
        forms.add("cvt" + rounding + ".f64" + from, [](Register<From> a) { return integer_to_f64(From(a), ROUND); }, CONVERT);
        if constexpr (ROUND == Round::RN) {
            forms.add("cvt.rn.f16" + from, [](Register<From> a) { return integer_to_f16(From(a)); }, CONVERT);
            forms.add("cvt.rn.bf16" + from, [](Register<From> a) { return integer_to_bf16(From(a)); }, CONVERT);
        }
    });
    forms.add("cvt" + rounding + ".f32.f64", [](uint64_t a) { return f64_to_f32(f64(a), {ROUND}); }, CONVERT);
    forms.add("cvt" + rounding + ".f16.f64", [](uint64_t a) { return f64_to_f16(f64(a), ROUND); }, CONVERT);
    forms.add("cvt" + rounding + ".bf16.f64", [](uint64_t a) { return f64_to_bf16(f64(a), ROUND); }, CONVERT);
    forms.add("cvt" + rounding + ".f16.f32", [](uint32_t a) { return to_f16(f32(a), ROUND); }, CONVERT);
    forms.add("cvt" + rounding + ".bf16.f32", [](uint32_t a) { return to_bf16(f32(a), ROUND); }, CONVERT);
    forms.add("cvt" + rounding + ".relu.f16.f32", [](uint32_t a) { return relu(to_f16(f32(a), ROUND), NAN_F16); }, CONVERT);
    forms.add("cvt" + rounding + ".relu.bf16.f32", [](uint32_t a) { return relu(to_bf16(f32(a), ROUND), NAN_BF16); }, CONVERT);
    // The first operand becomes the upper half.
    forms.add("cvt" + rounding + ".f16x2.f32", [](uint32_t a, uint32_t b) { return uint32_t(to_f16(f32(a), ROUND)) << 16
                                                                           | to_f16(f32(b), ROUND); }, CONVERT);
    forms.add("cvt" + rounding + ".bf16x2.f32", [](uint32_t a, uint32_t b) { return uint32_t(to_bf16(f32(a), ROUND)) << 16
                                                                            | to_bf16(f32(b), ROUND); }, CONVERT);
    forms.add("cvt" + rounding + ".relu.f16x2.f32", [](uint32_t a, uint32_t b) {
        return uint32_t(relu(to_f16(f32(a), ROUND), NAN_F16)) << 16 | relu(to_f16(f32(b), ROUND), NAN_F16);
    }, CONVERT);
    forms.add("cvt" + rounding + ".relu.bf16x2.f32", [](uint32_t a, uint32_t b) {
        return uint32_t(relu(to_bf16(f32(a), ROUND), NAN_BF16)) << 16 | relu(to_bf16(f32(b), ROUND), NAN_BF16);
    }, CONVERT);
}

}  // namespace

void add_convert_forms(Forms& forms) {
    add_integers(forms);
    add_float_to_integer<Round::RN>(forms, ".rni");
    add_float_to_integer<Round::RZ>(forms, ".rzi");
    add_float_to_integer<Round::RM>(forms, ".rmi");
    add_float_to_integer<Round::RP>(forms, ".rpi");
    add_to_float<Round::RN>(forms, ".rn");
    add_to_float<Round::RZ>(forms, ".rz");
    add_to_float<Round::RM>(forms, ".rm");
    add_to_float<Round::RP>(forms, ".rp");
    forms.add("cvt.f32.f16", [](uint16_t a) { return bits_of(from_f16(a)); }, CONVERT);
    forms.add("cvt.f32.bf16", [](uint16_t a) { return bits_of(from_bf16(a)); }, CONVERT);
    forms.add("cvt.f64.f16", [](uint16_t a) { return bits_of(double(from_f16(a))); }, CONVERT);
    forms.add("cvt.f64.f32", [](uint32_t a) { return bits_of(double(f32(a))); }, CONVERT);
    forms.add("cvt.sat.f32.f32", [](uint32_t a) { return saturated(a); }, CONVERT);
    forms.add("cvt.f32.f32", [](uint32_t a) { return a; }, CONVERT);
    forms.add("cvt.ftz.f32.f32", [](uint32_t a) { return flushed(a); }, CONVERT);
    forms.add("cvt.ftz.sat.f32.f32", [](uint32_t a) { return saturated(flushed(a)); }, CONVERT);
    forms.add("cvt.rna.tf32.f32", [](uint32_t a) { return to_tf32(f32(a)); }, CONVERT);
    forms.add("cvt.rn.tf32.f32", [](uint32_t a) { return to_tf32(f32(a), Round::RN); }, CONVERT);
    forms.add("cvt.rz.tf32.f32", [](uint32_t a) { return to_tf32(f32(a), Round::RZ); }, CONVERT);
}

}  // namespace ptx
