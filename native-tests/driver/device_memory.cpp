#include "device_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#endif

namespace driver {

namespace {

constexpr size_t CANARY = 256;  // also the alignment of addresses, as on a device
constexpr unsigned char CANARY_BYTE = 0xA5;

size_t canary_after(size_t bytes) { return CANARY + (CANARY - bytes % CANARY) % CANARY; }

bool intact(const char* canary, size_t bytes) {
    return std::all_of(canary, canary + bytes, [](char c) { return c == char(CANARY_BYTE); });
}

}  // namespace

uintptr_t DeviceMemory::allocate(size_t bytes) {
    if (bytes > available()) {
        return 0;
    }
    const size_t after = canary_after(bytes);
    char* memory = static_cast<char*>(std::aligned_alloc(CANARY, CANARY + bytes + after));
    if (!memory) {
        return 0;
    }
    memset(memory, CANARY_BYTE, CANARY);
    memset(memory + CANARY, 0xFF, bytes);
    memset(memory + CANARY + bytes, CANARY_BYTE, after);
    ASAN_POISON_MEMORY_REGION(memory, CANARY);
    ASAN_POISON_MEMORY_REGION(memory + CANARY + bytes, after);
    const uintptr_t address = reinterpret_cast<uintptr_t>(memory + CANARY);
    blocks_[address] = bytes;
    used_ += bytes;
    return address;
}

bool DeviceMemory::free(uintptr_t address) {
    const auto found = blocks_.find(address);
    if (found == blocks_.end()) {
        return false;
    }
    char* memory = reinterpret_cast<char*>(address - CANARY);
    ASAN_UNPOISON_MEMORY_REGION(memory, CANARY + found->second + canary_after(found->second));
    std::free(memory);
    used_ -= found->second;
    blocks_.erase(found);
    return true;
}

void DeviceMemory::clear() {
    while (!blocks_.empty()) {
        free(blocks_.begin()->first);
    }
}

bool DeviceMemory::contains(uintptr_t address, size_t bytes) const {
    auto next = blocks_.upper_bound(address);
    if (next == blocks_.begin()) {
        return false;
    }
    --next;
    const size_t offset = address - next->first;
    return offset <= next->second && bytes <= next->second - offset;
}

std::string DeviceMemory::check_canaries() const {
#ifndef __SANITIZE_ADDRESS__
    for (const auto& [address, bytes] : blocks_) {
        const char* memory = reinterpret_cast<const char*>(address);
        if (!intact(memory - CANARY, CANARY)) {
            return "wrote before an allocation of " + std::to_string(bytes) + " bytes";
        }
        if (!intact(memory + bytes, canary_after(bytes))) {
            return "wrote past the end of an allocation of " + std::to_string(bytes) + " bytes";
        }
    }
#endif
    return "";
}

}  // namespace driver
