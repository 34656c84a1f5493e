// SPDX-License-Identifier: Apache-2.0
// The integer types of PTX beside the suffixes that name them in instructions: f(Type<int16_t>(), ".s16") for each.
#pragma once
#include <cstdint>
#include <type_traits>

namespace ptx {

template <class T>
using Type = std::type_identity<T>;

// What holds a T. There are no registers of 8 bits: such a value is the low half of one of 16.
template <class T>
using Register = std::conditional_t<sizeof(T) == 1, std::conditional_t<std::is_signed_v<T>, int16_t, uint16_t>, T>;

template <class F>
void each_wide_integer(F f) {
    f(Type<int32_t>(), ".s32");
    f(Type<uint32_t>(), ".u32");
    f(Type<int64_t>(), ".s64");
    f(Type<uint64_t>(), ".u64");
}

// Those that arithmetic takes.
template <class F>
void each_register_integer(F f) {
    f(Type<int16_t>(), ".s16");
    f(Type<uint16_t>(), ".u16");
    each_wide_integer(f);
}

template <class F>
void each_integer(F f) {
    f(Type<int8_t>(), ".s8");
    f(Type<uint8_t>(), ".u8");
    each_register_integer(f);
}

}  // namespace ptx
