// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "machine.h"

namespace ptx {

GlobalMemory::GlobalMemory() = default;
GlobalMemory::~GlobalMemory() = default;

void GlobalMemory::allocate(uintptr_t address, size_t bytes) {
    auto region = std::make_unique<Region>();
    region->address = address;
    region->bytes = bytes;
    region->written = std::make_unique<uint8_t[]>(bytes / 8 + 24);
    const std::unique_lock lock(mutex_);
    regions_[address] = std::move(region);
}

void GlobalMemory::free(uintptr_t address) {
    const std::unique_lock lock(mutex_);
    regions_.erase(address);
}

void GlobalMemory::written(uintptr_t address, size_t bytes) {
    const std::unique_lock lock(mutex_);
    auto at = regions_.upper_bound(address);
    if (at != regions_.begin()) --at;
    for (; at != regions_.end() && at->first < address + bytes; ++at) {
        Region& region = *at->second;
        const uintptr_t begin = std::max(address, region.address),
            end = std::min(address + bytes, region.address + region.bytes);
        if (begin >= end) continue;
        size_t from = begin - region.address;
        const size_t to = end - region.address;
        for (; from < to && from % 8 != 0; from++) region.written[from / 8] |= uint8_t(1 << from % 8);
        memset(&region.written[from / 8], 0xFF, (to - from) / 8);
        for (from += (to - from) / 8 * 8; from < to; from++) region.written[from / 8] |= uint8_t(1 << from % 8);
        if (end - begin == region.bytes) region.complete = true;
    }
}

GlobalMemory::Region* GlobalMemory::below(uintptr_t address) const {
    const std::shared_lock lock(mutex_);
    auto next = regions_.upper_bound(address);
    return next == regions_.begin() ? nullptr : std::prev(next)->second.get();
}

GlobalMemory::Region* GlobalMemory::find(uintptr_t address) const {
    Region* const region = below(address);
    return region && address - region->address < region->bytes ? region : nullptr;
}

}  // namespace ptx
