// SPDX-License-Identifier: Apache-2.0
// The warps of a block take turns; each runs until it waits at a barrier or ends, or for a number of branches.
#include <algorithm>
#include <numeric>

#include "block.h"
#include "decode.h"
#include "module.h"

namespace ptx {

namespace {

std::string text(const Dim3& d) {
    std::string text = "(";
    return text += std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

uint32_t fuel_of(Block& block) {
    // Long turns are for loops that wait for another warp.
    constexpr uint32_t LONG = 1 << 14, SHORT = 24;
    return block.switching ? 1 + uint32_t(block.random() % SHORT) : LONG;
}

void count(Warp& warp, const Instruction* in) {
    const Program& program = *warp.block->program;
    Counting& counting = *warp.block->counters;
    const auto number = size_t(in - program.instructions.data());
    uint32_t mask = warp.mask;
    if (in->guarded) mask &= in->guard & 1 ? ~predicate(warp, in->guard & ~1u) : predicate(warp, in->guard);
    counting.current = &counting.tallies[number];
    counting.kind = program.details[number].kind;
    // A warp comes back to a barrier when it has opened.
    if (warp.passed_barrier) return;
    counting.current->warps++;
    counting.current->lanes += uint64_t(__builtin_popcount(mask));
}

template <bool COUNTED>
void run(Warp& warp) {
    for (;;) {
        const Instruction* in = next_group(warp);
        if (in == NO_INSTRUCTION || warp.fuel == 0) {
            if (warp.mask != 0) warp.groups.push_back({in, warp.mask, Group::READY});
            warp.mask = 0;
            return;
        }
        do {
            if constexpr (COUNTED) count(warp, in);
            in = in->run(warp, in);
        } while (in < warp.limit);
        if (in != NO_INSTRUCTION) {
            warp.groups.push_back({in, warp.mask, Group::READY});
        }
    }
}

void open_barriers(Block& block) {
    for (size_t number = 0; number < block.barriers.size(); number++) {
        NamedBarrier& barrier = block.barriers[number];
        if (barrier.threads == 0) {
            continue;
        }
        unsigned expected = barrier.expected;
        if (expected == 0) {
            for (const Warp& warp : block.warps) expected += unsigned(__builtin_popcount(warp.alive));
        }
        if (barrier.threads < expected) {
            continue;
        }
        barrier.result_or = barrier.reduced_or;
        barrier.result_and = barrier.reduced_and;
        barrier.result_count = barrier.reduced_count;
        barrier.reduced_or = barrier.reduced_count = 0;
        barrier.reduced_and = 1;
        barrier.threads = 0;
        // A barrier of some warps orders the others too, here: races that it leaves open are not found.
        block.shared.next_epoch();
        for (Warp& warp : block.warps) {
            if (warp.barrier != int(number)) continue;
            warp.barrier = -1;
            warp.passed_barrier = true;
            for (Group& group : warp.groups) group.state = Group::READY;
        }
    }
}

bool ready(const Warp& warp) {
    return std::any_of(warp.groups.begin(), warp.groups.end(), [](const Group& group) { return group.state == Group::READY; });
}

std::string lanes_text(uint32_t mask) {
    if (mask == ALL_LANES) return "all lanes";
    std::string text = "lanes";
    for (int l = 0; l < WARP; l++) {
        if (mask >> l & 1) text += " " + std::to_string(l);
    }
    return text;
}

[[noreturn]] void refuse_deadlock(const Block& block) {
    std::string where;
    for (const Warp& warp : block.warps) {
        for (const Group& group : warp.groups) {
            const Detail& detail = block.program->details[size_t(group.at - block.program->instructions.data())];
            where += "; warp " + std::to_string(warp.index) + ", " + lanes_text(group.mask) + " at "
                + place_of(*block.program, group.at) + " ("
                     + std::string(detail.opcode) + ")";
            if (where.size() > 600) break;
        }
    }
    throw Error(block.program->kernel->name + ", block " + text(block.index) + ": a deadlock, no lane can go on" + where);
}

void set_special(Block& block, Warp& warp, Special special, uint32_t* values) {
    const Dim3 &grid = block.grid, &extent = block.extent, &index = block.index;
    const unsigned warps = unsigned(block.warps.size());
    for (unsigned l = 0; l < unsigned(WARP); l++) {
        const unsigned rank = unsigned(warp.index) * WARP + l;
        switch (special) {
            case Special::TID_X: values[l] = rank % extent.x; break;
            case Special::TID_Y: values[l] = rank / extent.x % extent.y; break;
            case Special::TID_Z: values[l] = rank / (extent.x * extent.y); break;
            case Special::NTID_X: values[l] = extent.x; break;
            case Special::NTID_Y: values[l] = extent.y; break;
            case Special::NTID_Z: values[l] = extent.z; break;
            case Special::CTAID_X: values[l] = index.x; break;
            case Special::CTAID_Y: values[l] = index.y; break;
            case Special::CTAID_Z: values[l] = index.z; break;
            case Special::NCTAID_X: values[l] = grid.x; break;
            case Special::NCTAID_Y: values[l] = grid.y; break;
            case Special::NCTAID_Z: values[l] = grid.z; break;
            case Special::LANEID: values[l] = l; break;
            case Special::WARPID: values[l] = unsigned(warp.index); break;
            case Special::NWARPID: values[l] = warps; break;
            case Special::LANEMASK_EQ: values[l] = 1u << l; break;
            case Special::LANEMASK_LT: values[l] = (1u << l) - 1; break;
            case Special::LANEMASK_LE: values[l] = (2u << l) - 1; break;
            case Special::LANEMASK_GE: values[l] = ~((1u << l) - 1); break;
            case Special::LANEMASK_GT: values[l] = ~((2u << l) - 1); break;
            case Special::DYNAMIC_SMEM_SIZE: values[l] = block.shared.bytes() - block.program->dynamic_shared_at; break;
            case Special::TOTAL_SMEM_SIZE: values[l] = block.shared.bytes(); break;
        }
    }
}

bool of_block(Special special) {
    return special == Special::CTAID_X || special == Special::CTAID_Y || special == Special::CTAID_Z;
}

void begin(Block& block, bool first) {
    const unsigned threads = block.extent.x * block.extent.y * block.extent.z;
    block.shared.begin_block();
    block.barriers.fill({});
    begin_hopper(block);
    for (Warp& warp : block.warps) {
        const unsigned lanes = std::min(unsigned(WARP), threads - unsigned(warp.index) * WARP);
        warp.existing = lanes == WARP ? ALL_LANES : (1u << lanes) - 1;
        warp.alive = warp.existing;
        warp.mask = 0;
        warp.groups.clear();
        warp.groups.push_back({block.program->instructions.data(), warp.existing, Group::READY});
        warp.barrier = -1;
        warp.passed_barrier = false;
        warp.syncs++;
        warp.copies.clear();
        warp.copy_group.fill(0);
        for (const auto& [special, place] : block.program->specials) {
            if (first || of_block(special)) {
                set_special(block, warp, special, reinterpret_cast<uint32_t*>(warp.registers + place));
            }
        }
        for (const auto& [place, width] : block.program->unset) memset(warp.registers + place, 0xFF, register_bytes_of(width));
        warp.set.assign(block.program->watched_registers, 0);
        if (const size_t bytes = block.program->local_bytes) memset(warp.local.get() + bytes * WARP, 0, bytes * WARP);
    }
    if (block.counters) {
        block.counters->blocks++;
        block.counters->warps += block.warps.size();
    }
}

}  // namespace

std::string place_of(const Program& program, const Instruction* at) {
    const Detail& detail = program.details[size_t(at - program.instructions.data())];
    std::string text = program.module->file() + ":" + std::to_string(detail.line);
    if (detail.location >= 0) {
        const Location& location = program.body.locations[size_t(detail.location)];
        text += ", source " + program.module->source(location.file) + ":" + std::to_string(location.line);
        if (location.inlined_file != 0) {
            text += " inlined at " + program.module->source(location.inlined_file) + ":"
                + std::to_string(location.inlined_line);
        }
    }
    return text;
}

void fail(const Warp& warp, const Instruction* at, int lane, const std::string& what) {
    const Block& block = *warp.block;
    const Detail& detail = block.program->details[size_t(at - block.program->instructions.data())];
    if (lane < 0) lane = first_lane(warp.mask);
    throw Error(block.program->kernel->name + ", " + place_of(*block.program, at) + ", block " + text(block.index) + ", warp "
                + std::to_string(warp.index) + ", lane " + std::to_string(lane) + ": " + std::string(detail.opcode) + " "
                    + what);
}

void prepare(Block& block, size_t dynamic_shared) {
    const Program& program = *block.program;
    const Options& options = *block.options;
    block.shared.prepare(dynamic_shared > 0 ? program.dynamic_shared_at + dynamic_shared : program.static_shared,
                         program.shadow_shift, options);
    block.shared.watch_proxies(program.uses_async_proxy);
    const unsigned threads = block.extent.x * block.extent.y * block.extent.z;
    const size_t warps = (threads + WARP - 1) / WARP;
    const size_t needed = warps * (program.register_bytes + PADDING);
    if (needed > block.register_capacity) {
        block.register_file.reset(static_cast<char*>(std::aligned_alloc(64, needed)));
        block.register_capacity = needed;
    }
    block.warps.resize(warps);
    for (size_t i = 0; i < warps; i++) {
        Warp& warp = block.warps[i];
        warp.index = int(i);
        warp.block = &block;
        warp.syncs = 0;
        warp.registers = block.register_file.get() + i * (program.register_bytes + PADDING);
        warp.local.reset(program.local_bytes > 0 ? new char[2 * program.local_bytes * WARP] : nullptr);
        for (const auto& [place, width, bits] : program.constants) {
            char* const at = warp.registers + place;
            switch (width) {
                case Width::PREDICATE: *reinterpret_cast<uint32_t*>(at) = bits ? ALL_LANES : 0; break;
                case Width::BITS16: std::fill_n(reinterpret_cast<uint16_t*>(at), WARP, uint16_t(bits)); break;
                case Width::BITS32: std::fill_n(reinterpret_cast<uint32_t*>(at), WARP, uint32_t(bits)); break;
                default: std::fill_n(reinterpret_cast<uint64_t*>(at), WARP, bits); break;
            }
        }
    }
    block.regions.assign(program.sites, nullptr);
    block.turns.resize(warps);
    std::iota(block.turns.begin(), block.turns.end(), 0u);
    if (options.order == Order::BACKWARD) std::reverse(block.turns.begin(), block.turns.end());
    block.switching = options.order == Order::SHUFFLED;
    block.first = true;
}

void run_block(Block& block) {
    begin(block, block.first);
    block.first = false;
    for (;;) {
        if (block.switching) std::shuffle(block.turns.begin(), block.turns.end(), block.random);
        bool progress = false, alive = false;
        for (const unsigned turn : block.turns) {
            Warp& warp = block.warps[turn];
            if (!ready(warp)) continue;
            warp.fuel = fuel_of(block);
            block.counters ? run<true>(warp) : run<false>(warp);
            progress = true;
        }
        open_barriers(block);
        for (const Warp& warp : block.warps) alive |= !warp.finished();
        if (!alive) return end_hopper(block);
        if (!progress && std::none_of(block.warps.begin(), block.warps.end(), ready)) refuse_deadlock(block);
    }
}

}  // namespace ptx
