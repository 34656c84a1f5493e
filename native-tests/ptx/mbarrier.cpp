// SPDX-License-Identifier: Apache-2.0
// mbarrier, elect.sync, setmaxnreg and fences between proxies.
#include <algorithm>

#include "bulk_copy.h"
#include "decode.h"

namespace ptx {

namespace {

constexpr uint32_t MOST = (1 << 20) - 1;  // of counts
constexpr uint32_t OBJECT_BYTES = 8;

// The address of the object of a lane, in shared memory.
uint32_t place_of_lane(Warp& warp, const Instruction* in, int lane, bool wide) {
    const uint64_t base = wide ? lanes<uint64_t>(warp, in->a)[lane] : lanes<uint32_t>(warp, in->a)[lane];
    uint64_t at = base + uint64_t(int64_t(int32_t(in->more[0])));
    if (wide && at - SHARED_WINDOW < (uint64_t(1) << 32)) at -= SHARED_WINDOW;
    if (at % OBJECT_BYTES != 0 || at + OBJECT_BYTES > warp.block->shared.bytes()) {
        fail(warp, in, lane, "has an mbarrier at byte " + std::to_string(at)
            + " of shared memory, outside of it or not aligned to 8");
    }
    return uint32_t(at);
}

void arrive(Warp& warp, const Instruction* in, int lane, MBarrier& object, uint32_t count) {
    if (count == 0 || int64_t(count) > object.pending) {
        fail(warp, in, lane, "arrives " + std::to_string(count) + " times at the mbarrier at byte "
            + std::to_string(object.offset)
                                 + ", which expects " + std::to_string(object.pending) + " more in this phase");
    }
    object.pending -= count;
    warp.block->hopper.events++;
    complete_phase(*warp.block, object);
}

void expect(Warp& warp, const Instruction* in, int lane, MBarrier& object, uint32_t bytes) {
    object.bytes += bytes;
    if (object.bytes > int64_t(MOST))
        fail(warp, in, lane, "expects " + std::to_string(object.bytes) + " bytes, more than an mbarrier counts");
}

template <bool WIDE>
const Instruction* init(Warp& warp, const Instruction* in) {
    Block& block = *warp.block;
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        const uint32_t at = place_of_lane(warp, in, l, WIDE), count = lanes<uint32_t>(warp, in->b)[l];
        if (count == 0 || count > MOST) fail(warp, in, l, "a count of " + std::to_string(count));
        for (const MBarrier& other : block.hopper.mbarriers) {
            if (other.offset == at)
                fail(warp, in, l, "there is an mbarrier at byte " + std::to_string(at) + " already, which was not invalidated");
        }
        block.shared.write(warp, in, {at, OBJECT_BYTES, l, OBJECT_BYTES}, turn_of(warp));
        block.hopper.mbarriers.push_back({at, count, int64_t(count), 0, 0, block.shared.epoch(), warp.index, false});
    }
    return in + 1;
}

template <bool WIDE>
const Instruction* invalidate(Warp& warp, const Instruction* in) {
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        const uint32_t at = mbarrier_of(warp, in, l, place_of_lane(warp, in, l, WIDE)).offset;
        std::erase_if(warp.block->hopper.mbarriers, [&](const MBarrier& object) { return object.offset == at; });
    }
    return in + 1;
}

// b: the count, or bytes. Without ARRIVES expect_tx alone, with EXPECTS both.
template <bool WIDE, bool ARRIVES, bool EXPECTS>
const Instruction* arrive_at(Warp& warp, const Instruction* in) {
    uint64_t states[WARP] = {};
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        MBarrier& object = mbarrier_of(warp, in, l, place_of_lane(warp, in, l, WIDE));
        const uint32_t number = lanes<uint32_t>(warp, in->b)[l];
        states[l] = object.phase;
        if (EXPECTS) expect(warp, in, l, object, number);
        if (ARRIVES) arrive(warp, in, l, object, EXPECTS ? 1 : number);
    }
    uint64_t* const d = lanes<uint64_t>(warp, in->d);
    for (int l = 0; l < WARP; l++) d[l] = warp.mask >> l & 1 ? states[l] : d[l];
    return in + 1;
}

// A warp that polls in vain lets others run. When all that are left do so, and nothing happens, none ever goes on.
void poll_in_vain(Warp& warp, const Instruction* in, const MBarrier& object, const std::string& wanted) {
    constexpr uint32_t ENOUGH = 2000;
    Block& block = *warp.block;
    warp.part.polls = warp.part.events == block.hopper.events ? warp.part.polls + 1 : 0;
    warp.part.events = block.hopper.events;
    warp.fuel = 1;
    const bool stuck = warp.part.polls > ENOUGH && std::all_of(block.warps.begin(), block.warps.end(), [&](const Warp& other) {
        return other.finished() || other.barrier >= 0
            || (other.part.events == block.hopper.events && other.part.polls > ENOUGH / 2);
    });
    if (stuck) {
        fail(warp, in, -1, "waits for " + wanted + " of the mbarrier at byte " + std::to_string(object.offset)
            + " for ever, a deadlock: its phase is " + std::to_string(object.phase) + ", which waits for "
            + std::to_string(object.pending) + " arrivals and "
                               + std::to_string(object.bytes) + " bytes, and all other warps wait too");
    }
}

template <bool WIDE, bool PARITY>
const Instruction* wait(Warp& warp, const Instruction* in) {
    Block& block = *warp.block;
    uint32_t complete = 0;
    const MBarrier* observed = nullptr;
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        MBarrier& object = mbarrier_of(warp, in, l, place_of_lane(warp, in, l, WIDE));
        land_some_bulk_copies(warp, object);
        const uint64_t wanted = PARITY ? lanes<uint32_t>(warp, in->b)[l] : lanes<uint64_t>(warp, in->b)[l];
        if (PARITY && wanted > 1) fail(warp, in, l, "a parity of " + std::to_string(wanted));
        if (!PARITY && wanted != object.phase && wanted + 1 != object.phase) {
            fail(warp, in, l, "waits for phase " + std::to_string(wanted) + " of an mbarrier that is in phase "
                + std::to_string(object.phase));
        }
        if (PARITY ? (object.phase & 1) != wanted : object.phase != wanted) {
            complete |= 1u << l;
            if (&object != observed) observe(block, object);
            observed = &object;
        } else if (complete == 0 && (rest & (rest - 1)) == 0) {
            poll_in_vain(warp, in, object, (PARITY ? "the phase of parity " : "phase ") + std::to_string(wanted));
        }
    }
    if (complete) warp.part.polls = 0;
    set_predicate(warp, in->d, complete);
    return in + 1;
}

const Instruction* fence_proxy(Warp& warp, const Instruction* in) {
    warp.block->shared.fence_proxy(uint32_t(warp.index));
    for (MBarrier& object : warp.block->hopper.mbarriers) object.fenced |= object.warp == warp.index;
    return in + 1;
}

const Instruction* fence_mbarriers(Warp& warp, const Instruction* in) {
    for (MBarrier& object : warp.block->hopper.mbarriers) object.fenced |= object.warp == warp.index;
    return in + 1;
}

// elect.sync d|p, mask
const Instruction* elect(Warp& warp, const Instruction* in) {
    const uint32_t members = lanes<uint32_t>(warp, in->a)[first_lane(warp.mask)] & warp.existing;
    if (warp.mask & ~members) fail(warp, in, first_lane(warp.mask & ~members), "is not in its own mask");
    if (members & ~warp.alive)
        fail(warp, in, -1, "waits for lane " + std::to_string(first_lane(members & ~warp.alive)) + ", which has returned");
    if (warp.mask != members) return wait_for_lanes(warp, in);
    const int leader = first_lane(members);
    uint32_t* const d = lanes<uint32_t>(warp, in->d);
    for (int l = 0; l < WARP; l++) d[l] = members >> l & 1 ? uint32_t(leader) : d[l];
    set_predicate(warp, in->more[0], 1u << leader);
    return in + 1;
}

const Instruction* set_registers(Warp& warp, const Instruction* in) {
    return all_here(warp) ? in + 1 : wait_for_lanes(warp, in);
}

template <bool WIDE>
Handler handler_of(const Modifiers& parts) {
    const std::string_view what = parts[1];
    const bool expects = has(parts, "expect_tx"), parity = has(parts, "parity");
    if (what == "init") return init<WIDE>;
    if (what == "inval") return invalidate<WIDE>;
    if (what == "expect_tx") return arrive_at<WIDE, false, true>;
    if (what == "arrive") return expects ? arrive_at<WIDE, true, true> : arrive_at<WIDE, true, false>;
    if (what == "test_wait" || what == "try_wait") return parity ? wait<WIDE, true> : wait<WIDE, false>;
    return nullptr;
}

}  // namespace

MBarrier& mbarrier_of(Warp& warp, const Instruction* in, int lane, uint32_t offset) {
    Block& block = *warp.block;
    for (MBarrier& object : block.hopper.mbarriers) {
        if (object.offset != offset) continue;
        if (object.epoch == block.shared.epoch() && object.warp != warp.index) {
            fail(warp, in, lane, "a race: uses the mbarrier at byte " + std::to_string(offset) + " that warp "
                + std::to_string(object.warp)
                                     + " initialised since the last barrier");
        }
        return object;
    }
    fail(warp, in, lane, "there is no mbarrier at byte " + std::to_string(offset)
        + " of shared memory: none was initialised there");
}

void complete_phase(Block& block, MBarrier& object) {
    if (object.pending > 0 || object.bytes != 0) return;
    object.pending = object.count;
    object.phase++;
    block.hopper.events++;
}

bool decode_mbarrier(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    if (parts[0] == "elect") {
        const int mask = decoder.source(operands.at(1), Width::BITS32);
        const bool pair = operands[0].kind == Operand::PAIR;
        if (!pair) decoder.refuse("takes d|p");
        const int d = decoder.target(operands[0].parts[0], Width::BITS32);
        const int p = decoder.target(operands[0].parts[1], Width::PREDICATE);
        decoder.emit(elect, Class::SHUFFLE, {{d, Draft::D}, {p, Draft::MORE}}, {{mask, Draft::A}});
        return true;
    }
    if (parts[0] == "setmaxnreg") {
        int64_t count = 0;
        if (!decoder.is_constant(operands.at(0), count) || count < 24 || count > 256 || count % 8 != 0)
            decoder.refuse("takes a multiple of 8 from 24 to 256");
        decoder.emit(set_registers, Class::CONTROL, {}, {});
        return true;
    }
    if (parts[0] == "fence" && (has(parts, "proxy") || has(parts, "mbarrier_init"))) {
        const bool proxy = has(parts, "proxy");
        if (proxy && (parts.size() < 3 || parts[2] != "async" || has(parts, "global"))) return false;
        decoder.emit(proxy ? fence_proxy : fence_mbarriers, Class::CONTROL, {}, {});
        return true;
    }
    if (parts[0] != "mbarrier" || parts.size() < 2) return false;
    const bool arrives = parts[1] == "arrive", waits = parts[1].ends_with("_wait");
    const Operand& address = operands.at(arrives || waits ? 1 : 0);
    const bool wide = address.reg >= 0 && decoder.width_of(address.reg) == Width::BITS64;
    const Handler run = wide ? handler_of<true>(parts) : handler_of<false>(parts);
    if (!run) return false;
    int64_t offset;
    const int a = decoder.base(address, wide ? Width::BITS64 : Width::BITS32, offset);
    std::vector<Decoder::Argument> sets, uses{{a, Draft::A}};
    const size_t number = arrives || waits ? 2 : 1;
    const Width width = waits && !has(parts, "parity") ? Width::BITS64 : Width::BITS32;
    uses.push_back({operands.size() > number ? decoder.source(operands[number], width) : decoder.constant(1, width), Draft::B});
    if (waits) sets.push_back({decoder.target(operands[0], Width::PREDICATE), Draft::D});
    else sets.push_back({arrives ? decoder.target(operands[0], Width::BITS64) : decoder.temporary(Width::BITS64), Draft::D});
    if (parts[1] == "init") decoder.writes_shared(OBJECT_BYTES);
    decoder.emit(run, Class::BARRIER, sets, uses).more = {uint32_t(offset)};
    return true;
}

}  // namespace ptx
