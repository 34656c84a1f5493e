// SPDX-License-Identifier: Apache-2.0
// Branches, and the groups of lanes that they part a warp into.
#include <algorithm>

#include "decode.h"
#include "module.h"

namespace ptx {

namespace {

void set_limit(Warp& warp) {
    warp.limit = NO_INSTRUCTION;
    for (const Group& group : warp.groups) {
        if (group.state == Group::READY) warp.limit = std::min(warp.limit, group.at);
    }
}

// The warp's turn ends here; it goes on at `next`.
const Instruction* give_way(Warp& warp, const Instruction* next) {
    warp.groups.push_back({next, warp.mask, Group::READY});
    warp.mask = 0;
    return NO_INSTRUCTION;
}

const Instruction* jump(Warp& warp, const Instruction* target) {
    if (--warp.fuel == 0) [[unlikely]] {
        return give_way(warp, target);
    }
    return target;
}

const Instruction* branch(Warp& warp, const Instruction* in) { return jump(warp, in->target); }

const Instruction* branch_if(Warp& warp, const Instruction* in) {
    uint32_t taken = predicate(warp, in->guard & ~1u);
    taken = (in->guard & 1 ? ~taken : taken) & warp.mask;
    if (Counters* counters = warp.block->counters) {
        counters->branches++;
        counters->divergent_branches += taken != 0 && taken != warp.mask;
    }
    if (taken == 0) {
        return in + 1;
    }
    if (taken == warp.mask) {
        return jump(warp, in->target);
    }
    return diverge(warp, taken, in->target, in + 1);
}

const Instruction* leave(Warp& warp, const Instruction* in) {
    for (const Copy& copy : warp.copies) {
        if (copy.lanes & warp.mask) {
            const int lane = first_lane(copy.lanes & warp.mask);
            const bool committed = copy.group[size_t(lane)] != warp.copy_group[size_t(lane)];
            fail(warp, in, lane, std::string("ends with an asynchronous copy in flight, ")
                 + (committed ? "committed but not waited for" : "never committed")
                                     + ", from " + place_of(*warp.block->program, copy.from));
        }
    }
    leave_hopper(warp, in);
    warp.alive &= ~warp.mask;
    warp.mask = 0;
    // Those that wait for others look again: all that are left may have come.
    for (Group& group : warp.groups) {
        if (group.state == Group::COLLECTIVE) group.state = Group::READY;
    }
    return NO_INSTRUCTION;
}

const Instruction* nothing(Warp&, const Instruction* in) { return in + 1; }

}  // namespace

const Instruction* guarded(Warp& warp, const Instruction* in) {
    const uint32_t all = warp.mask, holds = predicate(warp, in->guard & ~1u);
    const uint32_t mask = (in->guard & 1 ? ~holds : holds) & all;
    if (mask == 0) {
        return in + 1;
    }
    if (mask == all) {
        return in->guarded(warp, in);
    }
    warp.mask = mask;
    const Instruction* const next = in->guarded(warp, in);
    if (next == NO_INSTRUCTION) {
        // The lanes that were let through have stopped; the others go on.
        warp.groups.push_back({in + 1, all & ~mask, Group::READY});
        set_limit(warp);
        return NO_INSTRUCTION;
    }
    warp.mask = all;
    return next;
}

const Instruction* diverge(Warp& warp, uint32_t lanes, const Instruction* at, const Instruction* next) {
    uint32_t others = warp.mask & ~lanes;
    if (next < at) {
        std::swap(at, next);
        std::swap(lanes, others);
    }
    // `lanes` at `at` run on, being first.
    warp.groups.push_back({next, others, Group::READY});
    warp.mask = lanes;
    warp.limit = std::min(warp.limit, next);
    return at;
}

const Instruction* next_group(Warp& warp) {
    const Instruction* first = NO_INSTRUCTION;
    for (const Group& group : warp.groups) {
        if (group.state == Group::READY) first = std::min(first, group.at);
    }
    warp.mask = 0;
    if (first == NO_INSTRUCTION) {
        return first;
    }
    std::erase_if(warp.groups, [&](const Group& group) {
        const bool here = group.state == Group::READY && group.at == first;
        if (here) warp.mask |= group.mask;
        return here;
    });
    set_limit(warp);
    return first;
}

const Instruction* wait_for_lanes(Warp& warp, const Instruction* at) {
    // Lanes that wait here already go on together with these, to do the instruction when all have come.
    uint32_t mask = warp.mask;
    std::erase_if(warp.groups, [&](const Group& group) {
        const bool here = group.state == Group::COLLECTIVE && group.at == at;
        if (here) mask |= group.mask;
        return here;
    });
    if (mask != warp.mask) {
        warp.mask = mask;
        return at;  // the instruction looks again whether all are there
    }
    warp.groups.push_back({at, mask, Group::COLLECTIVE});
    warp.mask = 0;
    return NO_INSTRUCTION;
}

bool decode_control(Decoder& decoder, const Modifiers& parts) {
    const Statement& statement = decoder.statement();
    if (parts[0] == "bra") {
        const bool guard = statement.guard >= 0;
        const Operand& label = statement.operands.at(0);
        if (label.name.empty()) {
            decoder.refuse("an operand that is not a label");
        }
        Draft& draft = decoder.emit(guard ? branch_if : branch, Class::CONTROL, {}, {});
        draft.instruction.run = guard ? branch_if : branch;
        draft.label = label.name;
        draft.ends = !guard;
        return true;
    }
    if (parts[0] == "ret" || parts[0] == "exit") {
        decoder.emit(leave, Class::CONTROL, {}, {}).ends = statement.guard < 0;
        return true;
    }
    // Memory accesses of a warp are done in order, and blocks on other threads see them through the host's memory, which is
    // stronger than a card's.
    if (parts[0] == "fence" || parts[0] == "membar" || parts[0] == "prefetch" || parts[0] == "prefetchu"
        || parts[0] == "nanosleep") {
        decoder.emit(nothing, Class::CONTROL, {}, {});
        return true;
    }
    return false;
}

}  // namespace ptx
