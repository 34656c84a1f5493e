// SPDX-License-Identifier: Apache-2.0
#include "decode.h"
#include "semantics/arithmetic.h"

namespace ptx {

namespace {

// NAME + SUFFIX + .f16 and .f16x2, of a function of 16 bits.
template <class F>
void add_both(Forms& forms, const std::string& name, const std::string& format, F) {
    forms.add(name + format, F{}, Class::FLOAT);
    const auto pair = [&]<class... A>(std::type_identity<std::tuple<A...>>) {
        if constexpr (sizeof...(A) == 1) {
            forms.add(name + format + "x2", [](uint32_t a) { return on_halves(F{}, a); }, Class::FLOAT);
        } else if constexpr (sizeof...(A) == 2) {
            forms.add(name + format + "x2", [](uint32_t a, uint32_t b) { return on_halves(F{}, a, b); }, Class::FLOAT);
        } else {
            forms.add(name + format + "x2", [](uint32_t a, uint32_t b, uint32_t c) { return on_halves(F{}, a, b, c); },
                      Class::FLOAT);
        }
    };
    pair(std::type_identity<typename Signature<F>::Arguments>{});
}

template <Float16 FORMAT, HalfModes MODES>
void add_modes(Forms& forms, const std::string& format) {
    const std::string modes = std::string(MODES.ftz ? ".ftz" : "") + (MODES.sat ? ".sat" : "");
    for (const std::string rounding : {"", ".rn"}) {
        if constexpr (!MODES.relu) {
            add_both(forms, "add" + rounding + modes, format,
                     [](uint16_t a, uint16_t b) { return add_float16(a, b, FORMAT, MODES); });
            add_both(forms, "sub" + rounding + modes, format,
                     [](uint16_t a, uint16_t b) { return sub_float16(a, b, FORMAT, MODES); });
            add_both(forms, "mul" + rounding + modes, format,
                     [](uint16_t a, uint16_t b) { return mul_float16(a, b, FORMAT, MODES); });
        }
        add_both(forms, "fma" + rounding + modes + (MODES.relu ? ".relu" : ""), format,
                 [](uint16_t a, uint16_t b, uint16_t c) { return fma_float16(a, b, c, FORMAT, MODES); });
    }
}

template <Float16 FORMAT>
void add_format(Forms& forms, const std::string& format) {
    add_modes<FORMAT, HalfModes{}>(forms, format);
    add_modes<FORMAT, HalfModes{.relu = true}>(forms, format);
    add_both(forms, "neg", format, [](uint16_t a) { return uint16_t(a ^ 0x8000); });
    add_both(forms, "abs", format, [](uint16_t a) { return uint16_t(a & 0x7FFF); });
    add_both(forms, "min", format, [](uint16_t a, uint16_t b) { return min_float16(a, b, FORMAT); });
    add_both(forms, "max", format, [](uint16_t a, uint16_t b) { return max_float16(a, b, FORMAT); });
    add_both(forms, "min.NaN", format, [](uint16_t a, uint16_t b) { return min_float16(a, b, FORMAT, {.nan = true}); });
    add_both(forms, "max.NaN", format, [](uint16_t a, uint16_t b) { return max_float16(a, b, FORMAT, {.nan = true}); });
}

}  // namespace

void add_half_forms(Forms& forms) {
    add_format<Float16::F16>(forms, ".f16");
    add_format<Float16::BF16>(forms, ".bf16");
    add_modes<Float16::F16, HalfModes{.ftz = true}>(forms, ".f16");
    add_modes<Float16::F16, HalfModes{.sat = true}>(forms, ".f16");
}

}  // namespace ptx
