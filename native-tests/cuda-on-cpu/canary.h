// SPDX-License-Identifier: Apache-2.0
// Memory that nobody may touch. ASan stops at any access; in other builds a write shows as damage, and what is read is NaN
// in float32, float16 and bfloat16 and far out of range as an index.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace sim {

constexpr size_t CANARY_BYTES = 256;

inline unsigned char canary_byte(const unsigned char* at) { return reinterpret_cast<uintptr_t>(at) % 2 ? 0x7F : 0xFE; }

inline void plant_canary(void* memory, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
    __asan_poison_memory_region(memory, bytes);
#else
    unsigned char* first = static_cast<unsigned char*>(memory);
    for (unsigned char* at = first; at < first + bytes; at++) {
        *at = canary_byte(at);
    }
#endif
}

inline bool canary_intact([[maybe_unused]] const void* memory, [[maybe_unused]] size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
    return true;
#else
    const unsigned char* first = static_cast<const unsigned char*>(memory);
    return std::all_of(first, first + bytes, [](const unsigned char& c) { return c == canary_byte(&c); });
#endif
}

inline void remove_canary([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace sim
