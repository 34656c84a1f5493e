// SPDX-License-Identifier: Apache-2.0
// A block's shared memory, with a shadow that says of each unit (the smallest access that writes) who wrote it last and who has
// read it since, and when: epochs are counted by the block's barriers.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace ptx {

struct Warp;
struct Instruction;
struct Options;

// Bytes that lanes of a warp access, one beside the other.
struct Access {
    uint32_t offset, bytes;
    int lane;             // the first
    uint32_t lane_bytes;  // of each
    bool collective = false;  // what is read goes to all lanes
};

class SharedMemory {
  public:
    // For a launch.
    void prepare(size_t bytes, uint32_t unit_shift, const Options& options);
    void begin_block();
    void next_epoch();

    uint8_t* data() { return data_; }
    uint32_t bytes() const { return bytes_; }

    // Accesses must be within the memory and aligned. What is wrong ends the launch.
    void read(const Warp& warp, const Instruction* at, const Access& access, uint32_t warp_index) {
        const uint32_t first = access.offset >> shift_, count = ((access.offset + access.bytes - 1) >> shift_) - first + 1;
        by_count(count, [&](auto units) { read_units(warp, at, access, base_ + warp_index, first, units); });
        if (warp_order_) order_read(warp, at, access);
    }

    void write(const Warp& warp, const Instruction* at, const Access& access, uint32_t warp_index) {
        claim(warp, at, access, warp_index, base_ + warp_index);
        if (warp_order_) order_write(warp, at, access);
    }
    // A copy into here has begun; what it is about to write nobody may touch until end_copy().
    void begin_copy(const Warp& warp, const Instruction* at, const Access& access, uint32_t warp_index) {
        if (warp_order_) order_write(warp, at, access);
        claim(warp, at, access, warp_index, IN_FLIGHT);
    }
    void end_copy(const Warp& warp, const Instruction* at, const Access& access, uint32_t warp_index) {
        const uint32_t first = access.offset >> shift_, last = (access.offset + access.bytes - 1) >> shift_;
        for (uint32_t u = first; u <= last; u++) {
            writers_[u] = base_ + warp_index;
        }
        if (warp_order_) order_write(warp, at, access);
    }
    // Atomics of several warps don't race with one another, only with other accesses.
    void atomic(const Warp& warp, const Instruction* at, const Access& access, uint32_t warp_index);

  private:
    // A tag is epoch * 64 + warp: those of the running epoch are not below base_. Zero is before all epochs.
    static constexpr uint32_t TAGS = 64, ATOMIC = 62, SEVERAL = 63, IN_FLIGHT = ~0u;

    // The usual counts as constants, whose loops become a few vector instructions.
    template <class F>
    static void by_count(uint32_t count, F f) {
        switch (count) {
            case 1: return f(std::integral_constant<uint32_t, 1>());
            case 2: return f(std::integral_constant<uint32_t, 2>());
            case 4: return f(std::integral_constant<uint32_t, 4>());
            case 8: return f(std::integral_constant<uint32_t, 8>());
            case 32: return f(std::integral_constant<uint32_t, 32>());
            default: return f(count);
        }
    }

    template <class Count>
    void read_units(const Warp& warp, const Instruction* at, const Access& access, uint32_t own, uint32_t first, Count count) {
        const uint32_t floor = floor_, span = span_, base = base_;
        const uint32_t* const writers = &writers_[first];
        uint32_t* const readers = &readers_[first];
        uint32_t bad = 0;
        for (uint32_t u = 0; u < count; u++) {
            bad |= uint32_t(writers[u] - floor >= span) & uint32_t(writers[u] != own);
        }
        if (bad) [[unlikely]] {
            refuse_read(warp, at, access, own);
        }
        for (uint32_t u = 0; u < count; u++) {
            readers[u] = (readers[u] < base) | (readers[u] == own) ? own : base + SEVERAL;
        }
    }

    void claim(const Warp& warp, const Instruction* at, const Access& access, uint32_t warp_index, uint32_t becomes) {
        const uint32_t first = access.offset >> shift_, count = ((access.offset + access.bytes - 1) >> shift_) - first + 1;
        by_count(count, [&](auto units) { claim_units(warp, at, access, base_ + warp_index, first, units, becomes); });
    }
    template <class Count>
    void claim_units(const Warp& warp, const Instruction* at, const Access& access, uint32_t own, uint32_t first, Count count, uint32_t becomes) {
        const uint32_t limit = races_ ? base_ : IN_FLIGHT;
        uint32_t* const writers = &writers_[first];
        const uint32_t* const readers = &readers_[first];
        uint32_t bad = 0;
        for (uint32_t u = 0; u < count; u++) {
            bad |= (uint32_t(writers[u] >= limit) & uint32_t(writers[u] != own)) | (uint32_t(readers[u] >= limit) & uint32_t(readers[u] != own));
        }
        if (bad) [[unlikely]] {
            refuse_write(warp, at, access, own);
        }
        for (uint32_t u = 0; u < count; u++) {
            writers[u] = becomes;
        }
    }

    // Among the lanes of a warp: what another lane has written may be read, and what it has read be written, after a bar.warp.sync.
    void order_read(const Warp& warp, const Instruction* at, const Access& access);
    void order_write(const Warp& warp, const Instruction* at, const Access& access);
    static constexpr uint32_t LANES = 64, SEVERAL_LANES = 63;

    void set_limits();
    [[noreturn]] void refuse_read(const Warp& warp, const Instruction* at, const Access& access, uint32_t own) const;
    [[noreturn]] void refuse_write(const Warp& warp, const Instruction* at, const Access& access, uint32_t own) const;
    [[noreturn]] void refuse(const Warp& warp, const Instruction* at, const Access& access, uint32_t unit, const std::string& what) const;

    std::unique_ptr<uint8_t[]> storage_;
    uint8_t* data_ = nullptr;
    size_t capacity_ = 0;
    uint32_t bytes_ = 0, shift_ = 2;
    uint32_t base_ = TAGS, block_base_ = TAGS;
    uint32_t floor_ = 0, span_ = 0;  // tags that may be read: from floor_, so many
    bool races_ = true, unwritten_ = true, warp_order_ = false;
    std::vector<uint32_t> writers_, readers_;
    std::vector<uint32_t> writing_lanes_, reading_lanes_;  // the warp's bar.warp.sync so far * 64 + lane
};

}  // namespace ptx
