// SPDX-License-Identifier: Apache-2.0
// A block's shared memory, with a shadow that says of each unit (the smallest access that writes) who wrote it last and who has
// read it since, and when: epochs are counted by the block's barriers.
#pragma once
#include <bit>
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

// Who accesses: a warp, after so many bar.warp.sync.
struct Turn {
    uint32_t warp, syncs;
};

class SharedMemory {
  public:
    // For a launch.
    void prepare(size_t bytes, uint32_t unit_shift, const Options& options);
    void begin_block();
    void next_epoch();

    uint8_t* data() { return data_; }
    uint32_t epoch() const { return base_; }
    uint32_t bytes() const { return bytes_; }

    // Accesses must be within the memory and aligned. What is wrong ends the launch.
    void read(const Warp& warp, const Instruction* at, const Access& access, Turn turn) {
        const uint32_t first = access.offset >> shift_, count = ((access.offset + access.bytes - 1) >> shift_) - first + 1;
        by_count(count, [&](auto units) {
            if (warp_order_) order_read(warp, at, access, base_ + turn.warp, turn.syncs * LANES, first, units);
            read_units(warp, at, access, base_ + turn.warp, first, units);
        });
    }

    void write(const Warp& warp, const Instruction* at, const Access& access, Turn turn) {
        claim(warp, at, access, turn, base_ + turn.warp);
        if (watches_proxies_) [[unlikely]] mark(access, uint8_t(turn.warp + 1));
    }
    // A read by the asynchronous proxy: what warps wrote they must have fenced.
    void read_async(const Warp& warp, const Instruction* at, const Access& access, Turn turn);
    // What this warp has written may be read by the asynchronous proxy.
    void fence_proxy(uint32_t warp_index);
    // Of a launch whose kernel uses the asynchronous proxy.
    void watch_proxies(bool watches);
    // A copy into here has begun; what it is about to write nobody may touch until end_copy().
    void begin_copy(const Warp& warp, const Instruction* at, const Access& access, Turn turn) {
        claim(warp, at, access, turn, IN_FLIGHT);
        if (watches_proxies_) [[unlikely]] mark(access, 0);
    }
    // GENERIC: by cp.async, which is of the generic proxy; bulk copies are not.
    template <bool GENERIC>
    void end_copy(const Access& access, Turn turn) {
        if (GENERIC && watches_proxies_) [[unlikely]] mark(access, uint8_t(turn.warp + 1));
        const uint32_t first = access.offset >> shift_, last = (access.offset + access.bytes - 1) >> shift_;
        for (uint32_t u = first; u <= last; u++) {
            writers_[u] = base_ + turn.warp;
            writing_lanes_[u] = turn.syncs * LANES + uint32_t(access.lane);
        }
    }
    // Atomics of several warps don't race with one another, only with other accesses.
    void atomic(const Warp& warp, const Instruction* at, const Access& access, Turn turn);

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

    void claim(const Warp& warp, const Instruction* at, const Access& access, Turn turn, uint32_t becomes) {
        const uint32_t first = access.offset >> shift_, count = ((access.offset + access.bytes - 1) >> shift_) - first + 1;
        by_count(count, [&](auto units) {
            claim_units(warp, at, access, base_ + turn.warp, first, units, becomes);
            if (warp_order_) order_write(warp, at, access, base_ + turn.warp, turn.syncs * LANES, first, units);
        });
    }
    template <class Count>
    void claim_units(const Warp& warp, const Instruction* at, const Access& access, uint32_t own, uint32_t first, Count count,
                     uint32_t becomes) {
        const uint32_t limit = races_ ? base_ : IN_FLIGHT;
        uint32_t* const writers = &writers_[first];
        const uint32_t* const readers = &readers_[first];
        uint32_t bad = 0;
        for (uint32_t u = 0; u < count; u++) {
            bad |= (uint32_t(writers[u] >= limit) & uint32_t(writers[u] != own))
                | (uint32_t(readers[u] >= limit) & uint32_t(readers[u] != own));
        }
        if (bad) [[unlikely]] {
            refuse_write(warp, at, access, own);
        }
        for (uint32_t u = 0; u < count; u++) {
            writers[u] = becomes;
        }
    }

    // Among the lanes of a warp: what another lane has written may be read, and what it has read be written, after a
    // bar.warp.sync. `now` is the number of those so far, times LANES.
    static constexpr uint32_t LANES = 64, SEVERAL_LANES = 63;
    struct LaneOf {
        uint32_t first, shift;  // units of a lane: 1 << shift; or all lanes have them
        bool several;
        uint32_t operator()(uint32_t unit) const { return several ? SEVERAL_LANES : first + (unit >> shift); }
    };
    LaneOf lane_of(const Access& access) const {
        const uint32_t units = access.lane_bytes >> shift_;
        return {uint32_t(access.lane), units > 1 ? uint32_t(std::countr_zero(units)) : 0, access.collective
                || (units == 0 && access.bytes > access.lane_bytes)};
    }

    template <class Count>
    void order_read(const Warp& warp, const Instruction* at, const Access& access, uint32_t own, uint32_t now, uint32_t first,
                    Count count) {
        const LaneOf lane = lane_of(access);
        const uint32_t* const writers = &writers_[first];
        const uint32_t* const readers = &readers_[first];
        const uint32_t* const writing = &writing_lanes_[first];
        uint32_t* const reading = &reading_lanes_[first];
        uint32_t bad = 0;
        for (uint32_t u = 0; u < count; u++) {
            bad |= uint32_t(writers[u] == own) & uint32_t(writing[u] >= now) & uint32_t(writing[u] != now + lane(u));
        }
        if (bad) [[unlikely]] {
            refuse_order(warp, at, access, first, writers_, own, writing_lanes_, now, lane, "reads shared memory that ",
                         " of its warp wrote");
        }
        for (uint32_t u = 0; u < count; u++) {
            const bool alone = (readers[u] != own) | (reading[u] < now) | (reading[u] == now + lane(u));
            reading[u] = alone ? now + lane(u) : now + SEVERAL_LANES;
        }
    }

    template <class Count>
    void order_write(const Warp& warp, const Instruction* at, const Access& access, uint32_t own, uint32_t now, uint32_t first,
                     Count count) {
        const LaneOf lane = lane_of(access);
        const uint32_t* const readers = &readers_[first];
        const uint32_t* const reading = &reading_lanes_[first];
        uint32_t* const writing = &writing_lanes_[first];
        uint32_t bad = 0;
        for (uint32_t u = 0; u < count; u++) {
            bad |= uint32_t(readers[u] == own) & uint32_t(reading[u] >= now) & uint32_t(reading[u] != now + lane(u));
        }
        if (bad) [[unlikely]] {
            refuse_order(warp, at, access, first, readers_, own, reading_lanes_, now, lane, "writes shared memory that ",
                         " of its warp read");
        }
        for (uint32_t u = 0; u < count; u++) {
            writing[u] = now + lane(u);
        }
    }
    [[noreturn]] void refuse_order(const Warp& warp, const Instruction* at, const Access& access, uint32_t first,
                                   const std::vector<uint32_t>& tags,
                                   uint32_t own, const std::vector<uint32_t>& others, uint32_t now, const LaneOf& lane,
                                       const std::string& before, const std::string& after) const;

    void set_limits();
    void mark(const Access& access, uint8_t mark);
    [[noreturn]] void refuse_read(const Warp& warp, const Instruction* at, const Access& access, uint32_t own) const;
    [[noreturn]] void refuse_write(const Warp& warp, const Instruction* at, const Access& access, uint32_t own) const;
    [[noreturn]] void refuse(const Warp& warp, const Instruction* at, const Access& access, uint32_t unit,
                             const std::string& what) const;

    std::unique_ptr<uint8_t[]> storage_;
    uint8_t* data_ = nullptr;
    size_t capacity_ = 0;
    uint32_t bytes_ = 0, shift_ = 2;
    uint32_t base_ = TAGS, block_base_ = TAGS;
    uint32_t floor_ = 0, span_ = 0;  // tags that may be read: from floor_, so many
    bool races_ = true, unwritten_ = true, warp_order_ = false;
    std::vector<uint32_t> writers_, readers_;
    std::vector<uint32_t> writing_lanes_, reading_lanes_;  // the warp's bar.warp.sync so far * 64 + lane
    bool watches_proxies_ = false;
    std::vector<uint8_t> unfenced_;  // 1 + the warp that wrote a unit, until it has fenced it
};

}  // namespace ptx
