// SPDX-License-Identifier: Apache-2.0
#include "device_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../cuda-on-cpu/canary.h"
#include "../ptx/machine.h"

namespace driver {

namespace {

// Also the alignment of addresses, as on a device.
constexpr size_t CANARY = sim::CANARY_BYTES;

size_t canary_after(size_t bytes) { return CANARY + (CANARY - bytes % CANARY) % CANARY; }

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
    memset(memory + CANARY, 0xFF, bytes);
    sim::plant_canary(memory, CANARY);
    sim::plant_canary(memory + CANARY + bytes, after);
    const uintptr_t address = reinterpret_cast<uintptr_t>(memory + CANARY);
    blocks_[address] = bytes;
    used_ += bytes;
    if (machine_) machine_->allocate(address, bytes);
    return address;
}

bool DeviceMemory::free(uintptr_t address) {
    const auto found = blocks_.find(address);
    if (found == blocks_.end()) {
        return false;
    }
    if (machine_) machine_->free(address);
    char* memory = reinterpret_cast<char*>(address - CANARY);
    sim::remove_canary(memory, CANARY + found->second + canary_after(found->second));
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

void DeviceMemory::written(uintptr_t address, size_t bytes) {
    if (machine_) machine_->written(address, bytes);
}

void DeviceMemory::copied(uintptr_t target, uintptr_t source, size_t bytes) {
    if (!machine_) return;
    const ptx::GlobalMemory::Region* from = machine_->find(source);
    if (!from) {
        machine_->written(target, bytes);
        return;
    }
    // By runs of written bytes, of which most copies are one.
    const size_t first = source - from->address;
    const auto is_written = [&](size_t i) { return from->written[(first + i) / 8] >> (first + i) % 8 & 1; };
    for (size_t i = 0; i < bytes;) {
        const size_t begin = i;
        while (i < bytes && is_written(i)) i++;
        if (i > begin) machine_->written(target + begin, i - begin);
        while (i < bytes && !is_written(i)) i++;
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
    for (const auto& [address, bytes] : blocks_) {
        const char* memory = reinterpret_cast<const char*>(address);
        if (!sim::canary_intact(memory - CANARY, CANARY)) {
            return "wrote before an allocation of " + std::to_string(bytes) + " bytes";
        }
        if (!sim::canary_intact(memory + bytes, canary_after(bytes))) {
            return "wrote past the end of an allocation of " + std::to_string(bytes) + " bytes";
        }
    }
    return "";
}

}  // namespace driver
