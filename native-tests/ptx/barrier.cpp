// SPDX-License-Identifier: Apache-2.0
// Barriers of a block and of a warp.
#include <algorithm>

#include "copy.h"
#include "decode.h"

namespace ptx {

namespace {

int number_of(Warp& warp, const Instruction* in) {
    const uint32_t number = lanes<uint32_t>(warp, in->a)[first_lane(warp.mask)];
    if (number >= BARRIERS) {
        fail(warp, in, -1, "there is no barrier " + std::to_string(number));
    }
    return int(number);
}

// Counts the warp in.
void come(Warp& warp, const Instruction* in, int number) {
    NamedBarrier& barrier = warp.block->barriers[size_t(number)];
    const uint32_t expected = lanes<uint32_t>(warp, in->b)[first_lane(warp.mask)];
    if (expected % WARP != 0) {
        fail(warp, in, -1, "a barrier for " + std::to_string(expected) + " threads, which is not a number of warps");
    }
    if (barrier.threads > 0 && barrier.expected != expected) {
        fail(warp, in, -1, "other warps wait at this barrier for " + std::to_string(barrier.expected) + " threads");
    }
    land_some_copies(warp);
    barrier.expected = expected;
    // Lanes that don't exist count: the hardware counts warps.
    barrier.threads += expected > 0 ? unsigned(WARP) : unsigned(__builtin_popcount(warp.mask));
    if (warp.block->counters) warp.block->counters->barriers++;
}

// bar.sync and bar.red, once the barrier has opened; or comes to it.
template <class Finish, class Begin>
const Instruction* synchronize(Warp& warp, const Instruction* in, Begin begin, Finish finish) {
    if (warp.passed_barrier) {
        warp.passed_barrier = false;
        warp.syncs++;
        finish();
        return in + 1;
    }
    if (!all_here(warp)) {
        return wait_for_lanes(warp, in);
    }
    const int number = number_of(warp, in);
    come(warp, in, number);
    begin(warp.block->barriers[size_t(number)]);
    warp.barrier = number;
    warp.groups.push_back({in, warp.mask, Group::BARRIER});
    warp.mask = 0;
    return NO_INSTRUCTION;
}

const Instruction* bar_sync(Warp& warp, const Instruction* in) {
    return synchronize(warp, in, [](NamedBarrier&) {}, [] {});
}

const Instruction* bar_arrive(Warp& warp, const Instruction* in) {
    if (!all_here(warp)) {
        return wait_for_lanes(warp, in);
    }
    come(warp, in, number_of(warp, in));
    return in + 1;
}

// bar.red d, a, b, c.
template <char OPERATION>
const Instruction* bar_red(Warp& warp, const Instruction* in) {
    return synchronize(
        warp, in,
        [&](NamedBarrier& barrier) {
            const uint32_t values = predicate(warp, in->c) & warp.mask;
            barrier.reduced_or |= values != 0;
            barrier.reduced_count += __builtin_popcount(values);
            barrier.reduced_and &= values == warp.mask;
        },
        [&] {
            const NamedBarrier& barrier = warp.block->barriers[size_t(number_of(warp, in))];
            if constexpr (OPERATION == 'o') {
                set_predicate(warp, in->d, barrier.result_or ? ALL_LANES : 0);
            } else if constexpr (OPERATION == 'a') {
                set_predicate(warp, in->d, barrier.result_and ? ALL_LANES : 0);
            } else {
                for (int l = 0; l < WARP; l++) {
                    if (warp.mask >> l & 1) lanes<uint32_t>(warp, in->d)[l] = uint32_t(barrier.result_count);
                }
            }
        });
}

// Lanes may come to it at different places.
const Instruction* bar_warp_sync(Warp& warp, const Instruction* in) {
    const uint32_t wanted = lanes<uint32_t>(warp, in->a)[first_lane(warp.mask)] & warp.existing;
    if (warp.mask & ~wanted) {
        fail(warp, in, first_lane(warp.mask & ~wanted), "is not in its own mask");
    }
    if (wanted & ~warp.alive) {
        fail(warp, in, -1, "waits for lane " + std::to_string(first_lane(wanted & ~warp.alive)) + ", which has returned");
    }
    land_some_copies(warp);
    if (warp.mask == wanted) {
        warp.syncs++;
        return in + 1;
    }
    uint32_t here = warp.mask;
    for (const Group& group : warp.groups) {
        if (group.state == Group::COLLECTIVE && group.at->run == bar_warp_sync) here |= group.mask;
    }
    if (here != wanted) {
        warp.groups.push_back({in, warp.mask, Group::COLLECTIVE});
        warp.mask = 0;
        return NO_INSTRUCTION;
    }
    for (Group& group : warp.groups) {
        if (group.state == Group::COLLECTIVE && group.at->run == bar_warp_sync) {
            group.state = Group::READY;
            group.at++;
        }
    }
    warp.groups.push_back({in + 1, warp.mask, Group::READY});
    warp.mask = 0;
    warp.syncs++;
    return NO_INSTRUCTION;
}

}  // namespace

bool decode_barrier(Decoder& decoder, const Modifiers& parts) {
    if (parts[0] != "bar" && parts[0] != "barrier") {
        return false;
    }
    const auto& operands = decoder.statement().operands;
    if (has(parts, "warp")) {
        decoder.emit(bar_warp_sync, Class::BARRIER, {}, {{decoder.source(operands.at(0), Width::BITS32), Draft::A}});
        return true;
    }
    if (has(parts, "cluster")) {
        return false;
    }
    const bool reduces = has(parts, "red"), arrives = has(parts, "arrive");
    const size_t number = reduces, count = number + 1;  // indices
    const bool counted = operands.size() == (reduces ? 4 : 2);
    const int a = decoder.source(operands.at(number), Width::BITS32);
    const int b = counted ? decoder.source(operands.at(count), Width::BITS32) : decoder.constant(0, Width::BITS32);
    if (!reduces) {
        decoder.emit(arrives ? bar_arrive : bar_sync, Class::BARRIER, {}, {{a, Draft::A}, {b, Draft::B}});
        return true;
    }
    const bool counts = has(parts, "popc");
    const int c = decoder.source(operands.back(), Width::PREDICATE);
    const int d = decoder.target(operands[0], counts ? Width::BITS32 : Width::PREDICATE);
    decoder.emit(counts ? bar_red<'p'> : has(parts, "and") ? bar_red<'a'> : bar_red<'o'>, Class::BARRIER, {{d, Draft::D}},
                 {{a, Draft::A}, {b, Draft::B}, {c, Draft::C}});
    return true;
}

}  // namespace ptx
