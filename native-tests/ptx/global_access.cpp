// SPDX-License-Identifier: Apache-2.0
#include "global_access.h"

#include <atomic>
#include <sstream>

namespace ptx {

namespace {

std::string hex(uint64_t value) {
    std::ostringstream text;
    text << "0x" << std::hex << value;
    return text.str();
}

GlobalMemory::Region* find(const Block& block, uint64_t address) {
    GlobalMemory::Region* const region = block.memory->find(address);
    return region ? region : block.globals->find(address);
}

[[noreturn]] void refuse_outside(Warp& warp, const Instruction* in, int lane, uint64_t at, uint32_t bytes) {
    std::string where = "accesses " + std::to_string(bytes) + " bytes at " + hex(at) + ", outside of all allocations";
    if (const GlobalMemory::Region* near = warp.block->memory->below(at)) {
        where += ", " + std::to_string(at - near->address) + " bytes from the start of one of " + std::to_string(near->bytes);
    }
    fail(warp, in, lane, where);
}

// Scans once: what kernels of earlier launches have written whole is complete.
bool is_complete(GlobalMemory::Region& region) {
    if (region.complete) return true;
    for (size_t i = 0; i < region.bytes / 8; i++) {
        if (region.written[i] != 0xFF) return false;
    }
    const size_t rest = region.bytes % 8;
    if (rest && (region.written[region.bytes / 8] & ((1 << rest) - 1)) != (1 << rest) - 1) return false;
    region.complete = true;
    return true;
}

}  // namespace

void set_written(GlobalMemory::Region& region, size_t offset, size_t bytes) {
    while (bytes > 0) {
        const size_t bit = offset % 8, here = std::min(bytes, 8 - bit);
        const auto mask = uint8_t(((1u << here) - 1) << bit);
        uint8_t& byte = region.written[offset / 8];
        if ((byte & mask) != mask) std::atomic_ref(byte).fetch_or(mask, std::memory_order_relaxed);
        offset += here;
        bytes -= here;
    }
}

GlobalAccess access_global(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], uint32_t bytes, uint32_t alignment) {
    uint64_t low = at[0], high = at[0], bits = 0, apart = 0;
    for (int l = 0; l < WARP; l++) {
        low = std::min(low, at[l]);
        high = std::max(high, at[l]);
        bits |= at[l];
        apart |= at[l] ^ (at[0] + uint64_t(l) * bytes);
    }
    if (bits & (alignment - 1)) [[unlikely]] {
        for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
            const int l = first_lane(rest);
            if (at[l] & (alignment - 1)) {
                fail(warp, in, l, "accesses " + hex(at[l]) + ", which is not aligned to " + std::to_string(alignment)
                     + " bytes");
            }
        }
    }
    const GlobalMemory::Region*& cached = warp.block->regions[in->site];
    const auto holds = [&](const GlobalMemory::Region* region) {
        return region && low >= region->address && high + bytes <= region->address + region->bytes;
    };
    if (!holds(cached)) [[unlikely]] {
        GlobalMemory::Region* const found = find(*warp.block, low);
        if (!holds(found)) {
            for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
                const int l = first_lane(rest);
                const GlobalMemory::Region* const own = find(*warp.block, at[l]);
                if (!own || at[l] + bytes > own->address + own->bytes) refuse_outside(warp, in, l, at[l], bytes);
            }
            return {nullptr, false};
        }
        is_complete(*found);
        cached = found;
    }
    return {const_cast<GlobalMemory::Region*>(cached), apart == 0};
}

void refuse_unwritten(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], uint32_t bytes,
                      const GlobalAccess& access) {
    if (!warp.block->options->unwritten) return;
    if (access.region) {
        if (access.region->complete) return;
        if (access.contiguous && are_written(*access.region, at[0] - access.region->address, size_t(bytes) * WARP)) return;
    }
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        const GlobalMemory::Region& region = access.region ? *access.region : *find(*warp.block, at[l]);
        if (!is_written(region, at[l] - region.address, bytes)) {
            fail(warp, in, l, "reads global memory that was never written, byte " + std::to_string(at[l] - region.address)
                 + " of an allocation of "
                                  + std::to_string(region.bytes));
        }
    }
}

void mark_written(Warp& warp, const uint64_t (&at)[WARP], uint32_t bytes, const GlobalAccess& access) {
    if (access.region) {
        GlobalMemory::Region& region = *access.region;
        if (region.complete) return;
        const size_t offset = at[0] - region.address;
        if (access.contiguous && offset % 8 == 0) {
            if (!are_written(region, offset, size_t(bytes) * WARP)) {
                memset(&region.written[offset / 8], 0xFF, size_t(bytes) * WARP / 8);
            }
            return;
        }
    }
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        GlobalMemory::Region& region = access.region ? *access.region : *find(*warp.block, at[l]);
        set_written(region, at[l] - region.address, bytes);
    }
}

}  // namespace ptx
