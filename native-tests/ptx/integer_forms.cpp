// SPDX-License-Identifier: Apache-2.0
#include "decode.h"
#include "integer_types.h"
#include "semantics/integer.h"

namespace ptx {

namespace {

template <class F>
void each_bits(F f) {
    f(Type<uint16_t>(), ".b16");
    f(Type<uint32_t>(), ".b32");
    f(Type<uint64_t>(), ".b64");
}

void add_arithmetic(Forms& forms) {
    each_register_integer([&]<class T>(Type<T>, const std::string& type) {
        constexpr Class INT = Class::INTEGER;
        forms.add("add" + type, [](T a, T b) { return add(a, b); }, INT);
        forms.add("sub" + type, [](T a, T b) { return sub(a, b); }, INT);
        forms.add("mul.lo" + type, [](T a, T b) { return mul_lo(a, b); }, INT);
        forms.add("mul.hi" + type, [](T a, T b) { return mul_hi(a, b); }, INT);
        forms.add("mad.lo" + type, [](T a, T b, T c) { return mad_lo(a, b, c); }, INT);
        forms.add("mad.hi" + type, [](T a, T b, T c) { return mad_hi(a, b, c); }, INT);
        forms.add("div" + type, [](T a, T b) { return div(a, b); }, INT);
        forms.add("rem" + type, [](T a, T b) { return rem(a, b); }, INT);
        forms.add("min" + type, [](T a, T b) { return std::min(a, b); }, INT);
        forms.add("max" + type, [](T a, T b) { return std::max(a, b); }, INT);
        forms.add("shr" + type, [](T a, uint32_t b) { return shr(a, b); }, INT);
        forms.add("sad" + type, [](T a, T b, T c) { return sad(a, b, c); }, INT);
        if constexpr (sizeof(T) < 8) {
            forms.add("mul.wide" + type, [](T a, T b) { return mul_wide(a, b); }, INT);
            forms.add("mad.wide" + type, [](T a, T b, Twice<T> c) { return mad_wide(a, b, c); }, INT);
        }
        if constexpr (std::is_signed_v<T>) {
            forms.add("neg" + type, [](T a) { return neg(a); }, INT);
            forms.add("abs" + type, [](T a) { return abs(a); }, INT);
        }
        if constexpr (sizeof(T) == 4) {
            forms.add("mul24.lo" + type, [](T a, T b) { return mul24_lo(a, b); }, INT);
            forms.add("mul24.hi" + type, [](T a, T b) { return mul24_hi(a, b); }, INT);
            forms.add("mad24.lo" + type, [](T a, T b, T c) { return add(mul24_lo(a, b), c); }, INT);
            forms.add("mad24.hi" + type, [](T a, T b, T c) { return add(mul24_hi(a, b), c); }, INT);
        }
        if constexpr (sizeof(T) >= 4) {
            forms.add("bfe" + type, [](T a, uint32_t b, uint32_t c) { return bfe(a, b, c); }, INT);
            forms.add("bfind" + type, [](T a) { return bfind(a); }, INT);
            forms.add("bfind.shiftamt" + type, [](T a) { return bfind_shiftamt(a); }, INT);
        }
    });
}

void add_bits(Forms& forms) {
    each_bits([&]<class T>(Type<T>, const std::string& type) {
        constexpr Class INT = Class::INTEGER;
        forms.add("and" + type, [](T a, T b) { return T(a & b); }, INT);
        forms.add("or" + type, [](T a, T b) { return T(a | b); }, INT);
        forms.add("xor" + type, [](T a, T b) { return T(a ^ b); }, INT);
        forms.add("not" + type, [](T a) { return T(~a); }, INT);
        forms.add("cnot" + type, [](T a) { return T(a == 0); }, INT);
        forms.add("shl" + type, [](T a, uint32_t b) { return shl(a, b); }, INT);
        forms.add("shr" + type, [](T a, uint32_t b) { return shr(a, b); }, INT);
        if constexpr (sizeof(T) >= 4) {
            forms.add("popc" + type, [](T a) { return popc(a); }, INT);
            forms.add("clz" + type, [](T a) { return clz(a); }, INT);
            forms.add("brev" + type, [](T a) { return brev(a); }, INT);
            forms.add("bfi" + type, [](T a, T b, uint32_t c, uint32_t d) { return bfi(a, b, c, d); }, INT);
        }
    });
    constexpr Class INT = Class::INTEGER;
    forms.add("shf.l.clamp.b32", [](uint32_t a, uint32_t b, uint32_t c) { return shf_l(a, b, c, ShiftMode::CLAMP); }, INT);
    forms.add("shf.l.wrap.b32", [](uint32_t a, uint32_t b, uint32_t c) { return shf_l(a, b, c, ShiftMode::WRAP); }, INT);
    forms.add("shf.r.clamp.b32", [](uint32_t a, uint32_t b, uint32_t c) { return shf_r(a, b, c, ShiftMode::CLAMP); }, INT);
    forms.add("shf.r.wrap.b32", [](uint32_t a, uint32_t b, uint32_t c) { return shf_r(a, b, c, ShiftMode::WRAP); }, INT);
    forms.add("prmt.b32", [](uint32_t a, uint32_t b, uint32_t c) { return prmt(a, b, c); }, INT);
    forms.add("prmt.b32.f4e", [](uint32_t a, uint32_t b, uint32_t c) { return prmt(a, b, c, Permute::F4E); }, INT);
    forms.add("prmt.b32.b4e", [](uint32_t a, uint32_t b, uint32_t c) { return prmt(a, b, c, Permute::B4E); }, INT);
    forms.add("prmt.b32.rc8", [](uint32_t a, uint32_t b, uint32_t c) { return prmt(a, b, c, Permute::RC8); }, INT);
    forms.add("prmt.b32.ecl", [](uint32_t a, uint32_t b, uint32_t c) { return prmt(a, b, c, Permute::ECL); }, INT);
    forms.add("prmt.b32.ecr", [](uint32_t a, uint32_t b, uint32_t c) { return prmt(a, b, c, Permute::ECR); }, INT);
    forms.add("prmt.b32.rc16", [](uint32_t a, uint32_t b, uint32_t c) { return prmt(a, b, c, Permute::RC16); }, INT);
    forms.add("fns.b32", [](uint32_t a, uint32_t b, int32_t c) { return fns(a, b, c); }, INT);
    forms.add("bmsk.clamp.b32", [](uint32_t a, uint32_t b) { return bmsk(a, b, ShiftMode::CLAMP); }, INT);
    forms.add("bmsk.wrap.b32", [](uint32_t a, uint32_t b) { return bmsk(a, b, ShiftMode::WRAP); }, INT);
}

void add_dot_products(Forms& forms) {
    const auto add = [&]<class A, class B>(Type<A>, Type<B>, const std::string& types) {
        forms.add("dp4a" + types, [](uint32_t a, uint32_t b, uint32_t c) { return dp4a<A, B>(a, b, c); }, Class::INTEGER);
        forms.add("dp2a.lo" + types, [](uint32_t a, uint32_t b, uint32_t c) { return dp2a<A, B>(a, b, c, false); },
                  Class::INTEGER);
        forms.add("dp2a.hi" + types, [](uint32_t a, uint32_t b, uint32_t c) { return dp2a<A, B>(a, b, c, true); },
                  Class::INTEGER);
    };
    add(Type<int32_t>(), Type<int32_t>(), ".s32.s32");
    add(Type<int32_t>(), Type<uint32_t>(), ".s32.u32");
    add(Type<uint32_t>(), Type<int32_t>(), ".u32.s32");
    add(Type<uint32_t>(), Type<uint32_t>(), ".u32.u32");
}

}  // namespace

void add_integer_forms(Forms& forms) {
    add_arithmetic(forms);
    add_bits(forms);
    add_dot_products(forms);
}

}  // namespace ptx
