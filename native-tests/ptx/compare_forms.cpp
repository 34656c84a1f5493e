// SPDX-License-Identifier: Apache-2.0
// setp, selp, set, slct.
#include "decode.h"
#include "semantics/rounding.h"

namespace ptx {

namespace {

constexpr Class INT = Class::INTEGER, FLOAT = Class::FLOAT;

template <class T>
void add_integer(Forms& forms, const std::string& type) {
    forms.add("setp.eq" + type, [](T a, T b) { return a == b; }, INT);
    forms.add("setp.ne" + type, [](T a, T b) { return a != b; }, INT);
    forms.add("setp.lt" + type, [](T a, T b) { return a < b; }, INT);
    forms.add("setp.le" + type, [](T a, T b) { return a <= b; }, INT);
    forms.add("setp.gt" + type, [](T a, T b) { return a > b; }, INT);
    forms.add("setp.ge" + type, [](T a, T b) { return a >= b; }, INT);
    if constexpr (std::is_unsigned_v<T>) {
        forms.add("setp.lo" + type, [](T a, T b) { return a < b; }, INT);
        forms.add("setp.ls" + type, [](T a, T b) { return a <= b; }, INT);
        forms.add("setp.hi" + type, [](T a, T b) { return a > b; }, INT);
        forms.add("setp.hs" + type, [](T a, T b) { return a >= b; }, INT);
    }
}

// With a NaN the first six are false, those with a u are true.
template <class T>
void add_float(Forms& forms, const std::string& type) {
    forms.add("setp.eq" + type, [](T a, T b) { return a == b; }, FLOAT);
    forms.add("setp.ne" + type, [](T a, T b) { return bool((a < b) | (a > b)); }, FLOAT);
    forms.add("setp.lt" + type, [](T a, T b) { return a < b; }, FLOAT);
    forms.add("setp.le" + type, [](T a, T b) { return a <= b; }, FLOAT);
    forms.add("setp.gt" + type, [](T a, T b) { return a > b; }, FLOAT);
    forms.add("setp.ge" + type, [](T a, T b) { return a >= b; }, FLOAT);
    forms.add("setp.equ" + type, [](T a, T b) { return !((a < b) | (a > b)); }, FLOAT);
    forms.add("setp.neu" + type, [](T a, T b) { return !(a == b); }, FLOAT);
    forms.add("setp.ltu" + type, [](T a, T b) { return !(a >= b); }, FLOAT);
    forms.add("setp.leu" + type, [](T a, T b) { return !(a > b); }, FLOAT);
    forms.add("setp.gtu" + type, [](T a, T b) { return !(a <= b); }, FLOAT);
    forms.add("setp.geu" + type, [](T a, T b) { return !(a < b); }, FLOAT);
    forms.add("setp.num" + type, [](T a, T b) { return bool((a == a) & (b == b)); }, FLOAT);
    forms.add("setp.nan" + type, [](T a, T b) { return bool((a != a) | (b != b)); }, FLOAT);
}

template <class T>
void add_select(Forms& forms, const std::string& type) {
    forms.add("selp" + type, [](T a, T b, bool c) { return T(b ^ ((a ^ b) & -T(c))); }, INT);  // in bits: g++ vectorises this
    forms.add("slct" + type + ".s32", [](T a, T b, int32_t c) { return c >= 0 ? a : b; }, INT);
    forms.add("slct" + type + ".f32", [](T a, T b, float c) { return c >= 0 ? a : b; }, INT);
}

}  // namespace

void add_compare_forms(Forms& forms) {
    add_integer<int16_t>(forms, ".s16");
    add_integer<uint16_t>(forms, ".u16");
    add_integer<uint16_t>(forms, ".b16");
    add_integer<int32_t>(forms, ".s32");
    add_integer<uint32_t>(forms, ".u32");
    add_integer<uint32_t>(forms, ".b32");
    add_integer<int64_t>(forms, ".s64");
    add_integer<uint64_t>(forms, ".u64");
    add_integer<uint64_t>(forms, ".b64");
    add_float<float>(forms, ".f32");
    add_float<double>(forms, ".f64");
    for (const std::string type : {".b16", ".s16", ".u16", ".f16", ".bf16"}) add_select<uint16_t>(forms, type);
    for (const std::string type : {".b32", ".s32", ".u32", ".f32"}) add_select<uint32_t>(forms, type);
    for (const std::string type : {".b64", ".s64", ".u64", ".f64"}) add_select<uint64_t>(forms, type);
}

}  // namespace ptx
