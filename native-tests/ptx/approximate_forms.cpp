// SPDX-License-Identifier: Apache-2.0
#include "decode.h"
#include "semantics/approximate.h"

namespace ptx {

namespace {

template <bool FTZ>
void add(Forms& forms, const std::string& suffix) {
    constexpr Class SPECIAL = Class::SPECIAL;
    forms.add("ex2.approx" + suffix, [](Seed seed, uint32_t a) { return ex2_approx(a, FTZ, seed.value); }, SPECIAL);
    forms.add("lg2.approx" + suffix, [](Seed seed, uint32_t a) { return lg2_approx(a, FTZ, seed.value); }, SPECIAL);
    forms.add("rcp.approx" + suffix, [](Seed seed, uint32_t a) { return rcp_approx(a, FTZ, seed.value); }, SPECIAL);
    forms.add("sqrt.approx" + suffix, [](Seed seed, uint32_t a) { return sqrt_approx(a, FTZ, seed.value); }, SPECIAL);
    forms.add("rsqrt.approx" + suffix, [](Seed seed, uint32_t a) { return rsqrt_approx(a, FTZ, seed.value); }, SPECIAL);
    forms.add("sin.approx" + suffix, [](Seed seed, uint32_t a) { return sin_approx(a, FTZ, seed.value); }, SPECIAL);
    forms.add("cos.approx" + suffix, [](Seed seed, uint32_t a) { return cos_approx(a, FTZ, seed.value); }, SPECIAL);
    forms.add("div.approx" + suffix, [](Seed seed, uint32_t a, uint32_t b) { return div_approx(a, b, FTZ, seed.value); },
              SPECIAL);
    forms.add("div.full" + suffix, [](Seed seed, uint32_t a, uint32_t b) { return div_full(a, b, FTZ, seed.value); }, SPECIAL);
}

template <Float16 FORMAT>
void add_half(Forms& forms, const std::string& ex2, const std::string& format) {
    const auto e = [](Seed seed, uint16_t a) { return ex2_approx_float16(a, FORMAT, seed.value); };
    const auto t = [](Seed seed, uint16_t a) { return tanh_approx_float16(a, FORMAT, seed.value); };
    forms.add(ex2 + format, e, Class::SPECIAL);
    forms.add("tanh.approx" + format, t, Class::SPECIAL);
    forms.add(ex2 + format + "x2", [](Seed seed, uint32_t a) {
        return on_halves([&](uint16_t x) { return ex2_approx_float16(x, FORMAT, seed.value); }, a);
    }, Class::SPECIAL);
    forms.add("tanh.approx" + format + "x2", [](Seed seed, uint32_t a) {
        return on_halves([&](uint16_t x) { return tanh_approx_float16(x, FORMAT, seed.value); }, a);
    }, Class::SPECIAL);
}

}  // namespace

void add_approximate_forms(Forms& forms) {
    add<false>(forms, ".f32");
    add<true>(forms, ".ftz.f32");
    forms.add("tanh.approx.f32", [](Seed seed, uint32_t a) { return tanh_approx(a, seed.value); }, Class::SPECIAL);
    add_half<Float16::F16>(forms, "ex2.approx", ".f16");
    add_half<Float16::BF16>(forms, "ex2.approx.ftz", ".bf16");
}

}  // namespace ptx
