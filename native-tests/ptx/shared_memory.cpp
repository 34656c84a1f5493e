// SPDX-License-Identifier: Apache-2.0
#include "shared_memory.h"

#include <algorithm>
#include <cstring>

#include "warp.h"

namespace ptx {

void SharedMemory::prepare(size_t bytes, uint32_t unit_shift, const Options& options) {
    constexpr size_t ALIGNMENT = 1024;  // swizzled tiles of later cards repeat within it
    if (bytes > capacity_ || !storage_) {
        storage_ = std::make_unique<uint8_t[]>(bytes + ALIGNMENT);
        capacity_ = bytes;
        data_ = storage_.get() + (ALIGNMENT - reinterpret_cast<uintptr_t>(storage_.get()) % ALIGNMENT) % ALIGNMENT;
    }
    bytes_ = uint32_t(bytes);
    shift_ = unit_shift;
    races_ = options.races;
    unwritten_ = options.unwritten;
    warp_order_ = options.warp_order;
    const size_t units = (bytes >> unit_shift) + 1;
    if (units > writers_.size()) {
        writers_.resize(units);
        readers_.resize(units);
        writing_lanes_.resize(units);
        reading_lanes_.resize(units);
    }
    // The memory of a launch before, whose last copies may have been in flight.
    std::fill(writers_.begin(), writers_.begin() + long(units), 0);
    std::fill(readers_.begin(), readers_.begin() + long(units), 0);
    std::fill(writing_lanes_.begin(), writing_lanes_.begin() + long(units), 0);
    std::fill(reading_lanes_.begin(), reading_lanes_.begin() + long(units), 0);
    base_ = block_base_ = TAGS;
}

void SharedMemory::begin_block() {
    std::fill(unfenced_.begin(), unfenced_.end(), uint8_t(0));
    next_epoch();
    block_base_ = base_;
    set_limits();
    if (!unwritten_) {
        memset(data_, 0xFF, bytes_);
    }
}

void SharedMemory::next_epoch() {
    base_ += TAGS;
    if (base_ > IN_FLIGHT - 2 * TAGS) {
        // After sixty million barriers: what was written counts as written at the block's begin.
        for (uint32_t& tag : writers_) tag = tag == IN_FLIGHT ? tag : tag >= block_base_ ? TAGS : 0;
        std::fill(readers_.begin(), readers_.end(), 0);
        block_base_ = TAGS;
        base_ = 2 * TAGS;
    }
    set_limits();
}

void SharedMemory::watch_proxies(bool watches) {
    watches_proxies_ = watches;
    unfenced_.assign(watches ? writers_.size() : 0, 0);
}

void SharedMemory::mark(const Access& access, uint8_t mark) {
    const uint32_t first = access.offset >> shift_, last = (access.offset + access.bytes - 1) >> shift_;
    std::fill(unfenced_.begin() + first, unfenced_.begin() + last + 1, mark);
}

void SharedMemory::fence_proxy(uint32_t warp_index) {
    std::replace(unfenced_.begin(), unfenced_.end(), uint8_t(warp_index + 1), uint8_t(0));
}

void SharedMemory::read_async(const Warp& warp, const Instruction* at, const Access& access, Turn turn) {
    read(warp, at, access, turn);
    const uint32_t first = access.offset >> shift_, last = (access.offset + access.bytes - 1) >> shift_;
    for (uint32_t unit = first; unit <= last; unit++) {
        if (unfenced_[unit] == 0) continue;
        refuse(warp, at, access, unit, "reads shared memory that warp " + std::to_string(unfenced_[unit] - 1)
            + " wrote without a fence.proxy.async after it");
    }
}

void SharedMemory::set_limits() {
    floor_ = unwritten_ ? block_base_ : 0;
    span_ = (races_ ? base_ : IN_FLIGHT) - floor_;
}

void SharedMemory::atomic(const Warp& warp, const Instruction* at, const Access& access, Turn turn) {
    const uint32_t first = access.offset >> shift_, last = (access.offset + access.bytes - 1) >> shift_;
    const uint32_t own = base_ + turn.warp, shared = base_ + ATOMIC;
    for (uint32_t u = first; u <= last; u++) {
        const uint32_t writer = writers_[u], reader = readers_[u];
        if (writer != shared && writer != own && writer - floor_ >= span_) {
            refuse_read(warp, at, access, own);
        }
        if (races_ && reader >= base_ && reader != own && reader != shared) {
            refuse_write(warp, at, access, own);
        }
        writers_[u] = shared;
        readers_[u] = shared;
    }
}

void SharedMemory::refuse_order(const Warp& warp, const Instruction* at, const Access& access, uint32_t first,
                                const std::vector<uint32_t>& tags,
                                uint32_t own, const std::vector<uint32_t>& others, uint32_t now, const LaneOf& lane,
                                    const std::string& before, const std::string& after) const {
    for (uint32_t u = 0;; u++) {
        const uint32_t other = others[first + u];
        if (tags[first + u] == own && other >= now && other != now + lane(u)) {
            const std::string who = other % LANES == SEVERAL_LANES ? "several lanes" : "lane " + std::to_string(other % LANES);
            refuse(warp, at, access, first + u, before + who + after + " since the last bar.warp.sync");
        }
    }
}

void SharedMemory::refuse(const Warp& warp, const Instruction* at, const Access& access, uint32_t unit,
                          const std::string& what) const {
    const uint32_t offset = std::max(unit << shift_, access.offset);
    const int lane = access.lane + int((offset - access.offset) / access.lane_bytes);
    fail(warp, at, lane, what + ", byte " + std::to_string(offset) + " of " + std::to_string(bytes_));
}

void SharedMemory::refuse_read(const Warp& warp, const Instruction* at, const Access& access, uint32_t own) const {
    for (uint32_t unit = access.offset >> shift_;; unit++) {
        const uint32_t writer = writers_[unit];
        if (writer == own || writer - floor_ < span_) {
            continue;
        }
        if (writer == IN_FLIGHT) {
            refuse(warp, at, access, unit, "reads shared memory whose asynchronous copy was not waited for");
        }
        if (writer < floor_) {
            refuse(warp, at, access, unit, "reads shared memory that was never written");
        }
        const std::string who = writer % TAGS == ATOMIC ? "atomics of other warps wrote" : "warp "
            + std::to_string(writer % TAGS) + " wrote";
        refuse(warp, at, access, unit, "a race: reads shared memory that " + who + " since the last barrier");
    }
}

void SharedMemory::refuse_write(const Warp& warp, const Instruction* at, const Access& access, uint32_t own) const {
    for (uint32_t unit = access.offset >> shift_;; unit++) {
        const uint32_t writer = writers_[unit], reader = readers_[unit];
        if (writer == IN_FLIGHT) {
            refuse(warp, at, access, unit, "writes shared memory to which an asynchronous copy is on its way");
        }
        if (writer >= base_ && writer != own) {
            const std::string who = writer % TAGS == ATOMIC ? "atomics of other warps wrote" : "warp "
                + std::to_string(writer % TAGS) + " wrote";
            refuse(warp, at, access, unit, "a race: writes shared memory that " + who + " since the last barrier");
        }
        if (reader >= base_ && reader != own) {
            const std::string who = reader % TAGS == SEVERAL  ? "several warps read"
                                    : reader % TAGS == ATOMIC ? "atomics of other warps accessed"
                                                              : "warp " + std::to_string(reader % TAGS) + " read";
            refuse(warp, at, access, unit, "a race: writes shared memory that " + who + " since the last barrier");
        }
    }
}

}  // namespace ptx
