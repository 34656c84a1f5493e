// SPDX-License-Identifier: Apache-2.0
// Reads of registers that nothing has written. Most registers are written on each way to where they are read; of the others,
// found by data flow, masks say which lanes have, and the instructions that use them look there. nvcc leaves out a copy of what
// is undefined and hoists copies and selections: those may read it, and a copy hands it on.
#include <algorithm>

#include "decode.h"

namespace ptx {

namespace {

const Instruction* watched(Warp& warp, const Instruction* in) {
    const Program& program = *warp.block->program;
    const Watch& watch = program.watches[program.watch_of[size_t(in - program.instructions.data())]];
    uint32_t active = warp.mask;
    if (watch.guard != NO_WATCH && (active & ~warp.set[watch.guard]) && warp.block->options->unwritten) {
        fail(warp, in, first_lane(active & ~warp.set[watch.guard]), "has a guard that was never set");
    }
    if (in->guarded) {
        const uint32_t holds = predicate(warp, in->guard & ~1u);
        active &= in->guard & 1 ? ~holds : holds;
    }
    uint32_t set = ALL_LANES;
    for (const uint32_t number : watch.reads) set &= warp.set[number];
    if (!watch.copies && (active & ~set) && warp.block->options->unwritten) {
        fail(warp, in, first_lane(active & ~set), "reads a register that was never set");
    }
    for (const uint32_t number : watch.sets) warp.set[number] = (warp.set[number] & ~active) | (set & active);
    return watch.run(warp, in);
}

bool sets(const Draft& draft, const Draft::Use& read) {
    return std::any_of(draft.uses.begin(), draft.uses.end(), [&](const Draft::Use& use) {
        return use.sets && use.reg == read.reg && use.field == read.field;
    });
}

}  // namespace

void watch_unset_registers(Program& program, const std::vector<Draft>& drafts, const std::vector<int>& unset,
    size_t registers) {
    std::vector<uint32_t> numbers(registers, NO_WATCH);
    const auto number = [&](int reg) -> uint32_t& { return numbers[size_t(reg)]; };
    for (const int reg : unset) number(reg) = program.watched_registers++;
    const auto copies = [](const Draft& draft) { return draft.detail.kind == Class::MOVE; };
    // What is copied from them may be unset too.
    for (bool grew = !unset.empty(); grew;) {
        grew = false;
        for (const Draft& draft : drafts) {
            if (!copies(draft)) continue;
            const bool reads = std::any_of(draft.uses.begin(), draft.uses.end(), [&](const Draft::Use& use) {
                return !use.sets && use.field != Draft::GUARD && number(use.reg) != NO_WATCH && !sets(draft, use);
            });
            for (const Draft::Use& use : draft.uses) {
                if (!reads || !use.sets || number(use.reg) != NO_WATCH) continue;
                number(use.reg) = program.watched_registers++;
                grew = true;
            }
        }
    }
    if (program.watched_registers == 0) return;
    program.watch_of.assign(drafts.size(), NO_WATCH);
    for (size_t i = 0; i < drafts.size(); i++) {
        const Draft& draft = drafts[i];
        // Barriers have operands that are the same in all lanes; their handlers are looked for.
        if (draft.detail.kind == Class::BARRIER) continue;
        Watch watch{.run = program.instructions[i].run, .copies = copies(draft)};
        for (const Draft::Use& use : draft.uses) {
            if (number(use.reg) == NO_WATCH) continue;
            if (use.sets) watch.sets.push_back(number(use.reg));
            else if (use.field == Draft::GUARD) watch.guard = number(use.reg);
            else if (!sets(draft, use) && !draft.detail.opcode.starts_with("selp")) watch.reads.push_back(number(use.reg));
        }
        if (watch.sets.empty() && watch.reads.empty() && watch.guard == NO_WATCH) continue;
        program.watch_of[i] = uint32_t(program.watches.size());
        program.watches.push_back(std::move(watch));
        program.instructions[i].run = watched;
    }
}

}  // namespace ptx
