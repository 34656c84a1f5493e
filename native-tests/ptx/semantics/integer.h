// SPDX-License-Identifier: Apache-2.0
// Integer, bit and byte instructions of PTX as functions of their operands (PTX ISA 9.0, sections 9.7.1, 9.7.8, 9.7.9).
// T is the instruction's type: uint16_t for .u16 and .b16, int32_t for .s32 and so on.
#pragma once
#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace ptx {

template <std::integral T>
constexpr int BITS = 8 * int(sizeof(T));

template <std::integral T>
using Twice = std::conditional_t<sizeof(T) == 8, std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>,
                                 std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                                                    std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>>>;

template <std::integral T>
constexpr T add(T a, T b) {
    return T(std::make_unsigned_t<T>(a) + std::make_unsigned_t<T>(b));
}
template <std::integral T>
constexpr T sub(T a, T b) {
    return T(std::make_unsigned_t<T>(a) - std::make_unsigned_t<T>(b));
}
template <std::integral T>
constexpr T neg(T a) {
    return sub(T(0), a);
}
template <std::integral T>
constexpr T abs(T a) {
    return a < 0 ? neg(a) : a;
}

// Products of 16 bits are formed in 64, for two uint16_t would be multiplied as int, which can overflow.
template <std::integral T>
constexpr T mul_lo(T a, T b) {
    return T(uint64_t(a) * uint64_t(b));
}
template <std::integral T>
constexpr Twice<T> mul_wide(T a, T b) {
    return Twice<T>(a) * Twice<T>(b);
}
template <std::integral T>
constexpr T mul_hi(T a, T b) {
    return T(mul_wide(a, b) >> BITS<T>);
}
template <std::integral T>
constexpr T mad_lo(T a, T b, T c) {
    return add(mul_lo(a, b), c);
}
template <std::integral T>
constexpr Twice<T> mad_wide(T a, T b, Twice<T> c) {
    return add(mul_wide(a, b), c);
}
template <std::integral T>
constexpr T mad_hi(T a, T b, T c) {
    return add(mul_hi(a, b), c);
}

// The product of the low 24 bits of both, of 48 bits: its low 32, or bits 47 to 16.
template <std::integral T>
    requires(sizeof(T) == 4)
constexpr int64_t product24(T a, T b) {
    constexpr auto low24 = [](T x) { return int64_t(T(uint32_t(x) << 8) >> 8); };
    return low24(a) * low24(b);
}
template <std::integral T>
constexpr T mul24_lo(T a, T b) {
    return T(product24(a, b));
}
template <std::integral T>
constexpr T mul24_hi(T a, T b) {
    return T(product24(a, b) >> 16);
}

// What a division by zero gives the ISA leaves to the machine; these are the values that today's cards give.
template <std::integral T>
constexpr T div(T a, T b) {
    return b == 0 ? T(-1) : std::is_signed_v<T> && b == T(-1) ? neg(a) : T(a / b);
}
template <std::integral T>
constexpr T rem(T a, T b) {
    return b == 0 ? a : std::is_signed_v<T> && b == T(-1) ? T(0) : T(a % b);
}

template <std::integral T>
constexpr T sad(T a, T b, T c) {
    return add(c, a < b ? sub(b, a) : sub(a, b));
}

// Amounts beyond the register's width are clamped to it.
template <std::integral T>
constexpr T shl(T a, uint32_t b) {
    return b >= BITS<T> ? T(0) : T(std::make_unsigned_t<T>(a) << b);
}
template <std::integral T>
constexpr T shr(T a, uint32_t b) {
    return b >= BITS<T> ? T(a < 0 ? -1 : 0) : T(a >> b);
}

enum class ShiftMode { CLAMP, WRAP };

constexpr uint32_t shf_l(uint32_t a, uint32_t b, uint32_t c, ShiftMode mode) {
    const uint32_t n = mode == ShiftMode::CLAMP ? std::min(c, 32u) : c & 31;
    return uint32_t((uint64_t(b) << 32 | a) << n >> 32);
}
constexpr uint32_t shf_r(uint32_t a, uint32_t b, uint32_t c, ShiftMode mode) {
    const uint32_t n = mode == ShiftMode::CLAMP ? std::min(c, 32u) : c & 31;
    return uint32_t((uint64_t(b) << 32 | a) >> n);
}

template <std::unsigned_integral T>
constexpr uint32_t popc(T a) {
    return uint32_t(std::popcount(a));
}
template <std::unsigned_integral T>
constexpr uint32_t clz(T a) {
    return uint32_t(std::countl_zero(a));
}

// The highest bit that differs from the sign (of an unsigned number: from 0), counted from the lowest one, or how far to
// shift it to the top; all ones if there is none.
template <std::integral T>
constexpr uint32_t bfind(T a) {
    return uint32_t(BITS<T> - 1) - uint32_t(std::countl_zero(std::make_unsigned_t<T>(a < 0 ? ~a : a)));
}
template <std::integral T>
constexpr uint32_t bfind_shiftamt(T a) {
    const uint32_t bit = bfind(a);
    return bit == 0xFFFFFFFF ? bit : uint32_t(BITS<T> - 1) - bit;
}

// The position of the offset-th set bit from the base on, upwards or, of a negative offset, downwards.
constexpr uint32_t fns(uint32_t mask, uint32_t base, int32_t offset) {
    if (offset == 0) {
        return base < 32 && mask >> base & 1 ? base : 0xFFFFFFFF;
    }
    uint32_t left = offset < 0 ? 0 - uint32_t(offset) : uint32_t(offset);
    for (int position = int(base); position >= 0 && position < 32; position += offset > 0 ? 1 : -1) {
        if (mask >> position & 1 && --left == 0) {
            return uint32_t(position);
        }
    }
    return 0xFFFFFFFF;
}

template <std::unsigned_integral T>
constexpr T brev(T a) {
    T d = 0;
    for (int i = 0; i < BITS<T>; i++) {
        d = T(d << 1 | (a >> i & 1));
    }
    return d;
}

// The field of `c` bits from bit `b` on, extended by its sign, which past the top is that of `a`.
template <std::integral T>
constexpr T bfe(T a, uint32_t b, uint32_t c) {
    const uint32_t position = b & 0xFF, length = c & 0xFF;
    if (length == 0) {
        return 0;
    }
    const T field = shr(a, position);
    return length >= uint32_t(BITS<T>) ? field : shr(shl(field, BITS<T> - length), BITS<T> - length);
}
// `b` with the low `d` bits of `a` from bit `c` on.
template <std::unsigned_integral T>
constexpr T bfi(T a, T b, uint32_t c, uint32_t d) {
    const uint32_t position = c & 0xFF, length = d & 0xFF;
    const T mask = shl(T(~shl(T(~T(0)), length)), position);
    return T((b & ~mask) | (shl(a, position) & mask));
}

template <std::integral T>
    requires(sizeof(T) == 4)
constexpr T szext(T a, uint32_t b, ShiftMode mode) {
    if (b >= 32 && mode == ShiftMode::CLAMP) {
        return a;
    }
    return bfe(a, 0, b & 31);
}
constexpr uint32_t bmsk(uint32_t a, uint32_t b, ShiftMode mode) {
    if (mode == ShiftMode::WRAP) {
        return shl(~shl(~0u, b & 31), a & 31);
    }
    return a >= 32 ? 0 : shl(~shl(~0u, b), a);
}

constexpr uint32_t lop3(uint32_t a, uint32_t b, uint32_t c, uint8_t table) {
    uint32_t d = 0;
    for (int row = 0; row < 8; row++) {
        if (table >> row & 1) {
            d |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
        }
    }
    return d;
}

enum class Permute { GENERIC, F4E, B4E, RC8, ECL, ECR, RC16 };

// Four of the bytes of `a` (numbers 0 to 3) and `b` (4 to 7). Of a generic selector bit 3 asks for the byte's sign instead.
constexpr uint32_t prmt(uint32_t a, uint32_t b, uint32_t c, Permute mode = Permute::GENERIC) {
    // By mode and the low two bits of c: from the right, the source of the bytes 0 to 3 of the result.
    constexpr uint16_t SELECTORS[7][4] = {
        {},
        {0x3210, 0x4321, 0x5432, 0x6543},
        {0x5670, 0x6701, 0x7012, 0x0123},
        {0x0000, 0x1111, 0x2222, 0x3333},
        {0x3210, 0x3211, 0x3222, 0x3333},
        {0x0000, 0x1110, 0x2210, 0x3210},
        {0x1010, 0x3232, 0x1010, 0x3232},
    };
    const uint32_t selector = mode == Permute::GENERIC ? c : SELECTORS[int(mode)][c & 3];
    const uint64_t bytes = uint64_t(b) << 32 | a;
    uint32_t d = 0;
    for (int i = 0; i < 4; i++) {
        const uint32_t choice = selector >> 4 * i;
        const uint8_t byte = uint8_t(bytes >> 8 * (choice & 7));
        d |= uint32_t(choice & 8 ? uint8_t(byte & 0x80 ? 0xFF : 0) : byte) << 8 * i;
    }
    return d;
}

// Byte `i` of a register, or its 16 bits, extended as A says: int32_t for .s32, uint32_t for .u32.
template <class A>
constexpr int64_t byte_of(uint32_t bits, int i) {
    return std::is_signed_v<A> ? int64_t(int8_t(bits >> 8 * i)) : int64_t(uint8_t(bits >> 8 * i));
}
template <class A>
constexpr int64_t half_of(uint32_t bits, int i) {
    return std::is_signed_v<A> ? int64_t(int16_t(bits >> 16 * i)) : int64_t(uint16_t(bits >> 16 * i));
}

template <class A, class B>
constexpr uint32_t dp4a(uint32_t a, uint32_t b, uint32_t c) {
    int64_t sum = c;
    for (int i = 0; i < 4; i++) {
        sum += byte_of<A>(a, i) * byte_of<B>(b, i);
    }
    return uint32_t(sum);
}
template <class A, class B>
constexpr uint32_t dp2a(uint32_t a, uint32_t b, uint32_t c, bool high) {
    int64_t sum = c;
    for (int i = 0; i < 2; i++) {
        sum += half_of<A>(a, i) * byte_of<B>(b, i + 2 * high);
    }
    return uint32_t(sum);
}

}  // namespace ptx
