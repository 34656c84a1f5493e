// SPDX-License-Identifier: Apache-2.0
// A warp's accesses to global memory: bounds, alignment, and whether what is read was ever written, for all lanes at once.
#pragma once
#include <algorithm>
#include <cstring>

#include "warp.h"

namespace ptx {

// The bytes from `offset` on, at most 16.
inline bool is_written(const GlobalMemory::Region& region, size_t offset, size_t bytes) {
    uint64_t bits;
    memcpy(&bits, &region.written[offset / 8], 8);
    const uint64_t wanted = (uint64_t(1) << bytes) - 1;
    return (bits >> offset % 8 & wanted) == wanted;
}
inline bool are_written(const GlobalMemory::Region& region, size_t offset, size_t bytes) {
    if (offset % 8 == 0 && bytes % 32 == 0) {
        uint32_t all = ~0u;
        for (size_t i = 0; i < bytes / 8; i += 4) {
            uint32_t bits;
            memcpy(&bits, &region.written[offset / 8 + i], 4);
            all &= bits;
        }
        return all == ~0u;
    }
    for (; bytes > 0; offset += std::min<size_t>(bytes, 16), bytes -= std::min<size_t>(bytes, 16)) {
        if (!is_written(region, offset, std::min<size_t>(bytes, 16))) return false;
    }
    return true;
}

// Blocks on other threads of the host may write the neighbours.
void set_written(GlobalMemory::Region& region, size_t offset, size_t bytes);

struct GlobalAccess {
    GlobalMemory::Region* region;  // null: lanes are in several, and were looked at one by one
    bool contiguous;               // all lanes run, and their bytes lie one beside the other
};

// Ends the launch if a lane is outside of what is allocated or not aligned to `bytes`. Lanes that don't run must have the
// address of one that does.
GlobalAccess access_global(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], uint32_t bytes, uint32_t alignment);
// Of a read: ends the launch if something was never written.
void refuse_unwritten(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], uint32_t bytes,
                      const GlobalAccess& access);
// Of a write.
void mark_written(Warp& warp, const uint64_t (&at)[WARP], uint32_t bytes, const GlobalAccess& access);

// For the counters.
void count_global(Warp& warp, const uint64_t (&at)[WARP], uint32_t bytes, bool stores);
void count_shared(Warp& warp, const uint32_t (&at)[WARP], uint32_t bytes, bool stores);

// Where lanes don't run, the address of the first one that does.
template <class T>
void fill_idle(T (&at)[WARP], uint32_t mask) {
    const T some = at[first_lane(mask)];
    for (int l = 0; l < WARP; l++) {
        at[l] = mask >> l & 1 ? at[l] : some;
    }
}

}  // namespace ptx
