// SPDX-License-Identifier: Apache-2.0
// cp.async.bulk: copies of whole tiles that tell an mbarrier, or a group, of their end. They arrive at once, when a warp looks
// at the mbarrier or waits for the group, or at some time between.
#include "bulk_copy.h"

#include <algorithm>

#include "decode.h"
#include "global_access.h"

namespace ptx {

namespace {

constexpr uint32_t PIECE = 16;

Access piece_of(const BulkCopy& copy, uint32_t at) { return {copy.shared + at, PIECE, 0, PIECE}; }

void land(Block& block, BulkCopy& copy) {
    if (copy.landed) return;
    copy.landed = true;
    uint8_t* const shared = block.shared.data() + copy.shared;
    if (copy.loads) {
        for (uint32_t at = 0; at < copy.data.size(); at += PIECE) {
            memcpy(block.shared.data() + MatrixDescriptor::swizzled(copy.shared + at, copy.swizzle), &copy.data[at], PIECE);
        }
        if (copy.data.empty()) memcpy(shared, reinterpret_cast<const void*>(copy.global), copy.bytes);
        const auto object = std::find_if(block.hopper.mbarriers.begin(), block.hopper.mbarriers.end(),
                                         [&](const MBarrier& other) { return other.offset == copy.mbarrier; });
        if (object == block.hopper.mbarriers.end()) return;
        object->bytes -= copy.bytes;
        // It completes with the phase that runs now, or is done by it.
        copy.phase = object->phase;
        block.hopper.events++;
        complete_phase(block, *object);
    } else {
        memcpy(reinterpret_cast<void*>(copy.global), shared, copy.bytes);
    }
}

void begin(Block& block, const BulkCopy& copy) {
    block.hopper.copies.push_back(copy);
    const Landing landing = block.options->landing;
    if (landing == Landing::EARLY || (landing == Landing::RANDOM && block.random() % 2))
        land(block, block.hopper.copies.back());
}

// more: offsets of d, a and the mbarrier, whether the shared address and the mbarrier's have 64 bits.
template <bool LOADS>
const Instruction* copy_bulk(Warp& warp, const Instruction* in) {
    Block& block = *warp.block;
    const auto address = [&](uint32_t place, uint32_t offset, bool wide, int lane) {
        return (wide ? lanes<uint64_t>(warp, place)[lane] : lanes<uint32_t>(warp, place)[lane])
            + uint64_t(int64_t(int32_t(offset)));
    };
    const auto in_shared = [&](uint64_t at) { return at - SHARED_WINDOW < (uint64_t(1) << 32) ? at - SHARED_WINDOW : at; };
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        BulkCopy copy{};
        copy.from = in;
        copy.warp = warp.index;
        copy.loads = LOADS;
        copy.bytes = lanes<uint32_t>(warp, in->c)[l];
        const uint64_t shared = in_shared(address(in->d, in->more[0], in->more[3], l));
        copy.global = address(in->a, in->more[1], true, l);
        if (copy.bytes == 0 || copy.bytes % PIECE != 0 || shared % PIECE != 0 || copy.global % PIECE != 0) {
            fail(warp, in, l, "copies " + std::to_string(copy.bytes) + " bytes at byte " + std::to_string(shared)
                + " of shared memory: all must be multiples of 16, the global address too");
        }
        if (shared + copy.bytes > block.shared.bytes()) {
            fail(warp, in, l, "copies to byte " + std::to_string(shared + copy.bytes) + " of shared memory, which has "
                + std::to_string(block.shared.bytes()));
        }
        copy.shared = uint32_t(shared);
        check_global(warp, in, l, copy.global, copy.bytes, LOADS);
        if (LOADS) {
            begin_load(warp, in, l, copy, uint32_t(in_shared(address(in->b, in->more[2], in->more[4], l))));
            continue;
        }
        for (uint32_t at = 0; at < copy.bytes; at += PIECE)
            block.shared.read_async(warp, in, piece_of(copy, at), turn_of(warp));
        begin(block, copy);
    }
    return in + 1;
}

const Instruction* commit(Warp& warp, const Instruction* in) {
    for (BulkCopy& copy : warp.block->hopper.copies) {
        if (!copy.loads && copy.warp == warp.index && copy.group < 0) copy.group = warp.part.bulk_group;
    }
    warp.part.bulk_group++;
    return in + 1;
}

// All groups of the warp but the last `immediate`.
const Instruction* wait(Warp& warp, const Instruction* in) {
    Block& block = *warp.block;
    std::erase_if(block.hopper.copies, [&](BulkCopy& copy) {
        const bool ends = !copy.loads && copy.warp == warp.index && copy.group >= 0
            && copy.group + in->immediate < warp.part.bulk_group;
        if (ends) land(block, copy);
        return ends;
    });
    return in + 1;
}

}  // namespace

void check_global(Warp& warp, const Instruction* in, int lane, uint64_t address, uint32_t bytes, bool loads) {
    const uint32_t all = warp.mask;
    warp.mask = 1u << lane;
    for (uint32_t at = 0; at < bytes; at += PIECE) {
        uint64_t addresses[WARP];
        std::fill_n(addresses, WARP, address + at);
        const GlobalAccess access = access_global(warp, in, addresses, PIECE, PIECE);
        loads ? refuse_unwritten(warp, in, addresses, PIECE, access) : mark_written(warp, addresses, PIECE, access);
        if (warp.block->counters) count_global(warp, addresses, PIECE, !loads);
    }
    warp.mask = all;
}

void begin_load(Warp& warp, const Instruction* in, int lane, BulkCopy copy, uint32_t mbarrier) {
    Block& block = *warp.block;
    MBarrier& object = mbarrier_of(warp, in, lane, mbarrier);
    if (!object.fenced) {
        fail(warp, in, lane,
             "tells an mbarrier that it can't see: neither fence.proxy.async nor fence.mbarrier_init came after mbarrier.init");
    }
    copy.from = in;
    copy.warp = warp.index;
    copy.loads = true;
    copy.mbarrier = object.offset;
    for (uint32_t at = 0; at < copy.bytes; at += PIECE) block.shared.begin_copy(warp, in, piece_of(copy, at), turn_of(warp));
    memset(block.shared.data() + copy.shared, 0xFF, copy.bytes);
    begin(block, copy);
}

void land_some_bulk_copies(Warp& warp, MBarrier& object) {
    Block& block = *warp.block;
    for (BulkCopy& copy : block.hopper.copies) {
        if (!copy.loads || copy.mbarrier != object.offset || copy.landed) continue;
        // Late: when others have had their turns.
        if (block.options->landing == Landing::LATE ? warp.part.polls >= 3 : block.random() % 4 == 0 || warp.part.polls >= 3)
            land(block, copy);
    }
}

void observe(Block& block, MBarrier& object) {
    std::erase_if(block.hopper.copies, [&](const BulkCopy& copy) {
        const bool ends = copy.loads && copy.landed && copy.mbarrier == object.offset && copy.phase < object.phase;
        for (uint32_t at = 0; ends && at < copy.bytes; at += PIECE)
            block.shared.end_copy<false>(piece_of(copy, at), turn_of(block.warps[size_t(copy.warp)]));
        return ends;
    });
    // What arrivals before it ordered is ordered now, and more: races that it leaves open are not found.
    block.shared.next_epoch();
}

void begin_hopper(Block& block) {
    block.hopper.mbarriers.clear();
    block.hopper.copies.clear();
    block.hopper.events = 0;
    for (Warp& warp : block.warps) warp.part = {};
}

void leave_hopper(Warp& warp, const Instruction* at) {
    for (const auto& product : warp.part.products) {
        fail(warp, at, -1, "ends with a product in flight, which wgmma.wait_group didn't wait for, from "
            + place_of(*warp.block->program, product.from));
    }
    for (const BulkCopy& copy : warp.block->hopper.copies) {
        if (!copy.loads && copy.warp == warp.index) {
            fail(warp, at, -1, "ends with a bulk store in flight, which cp.async.bulk.wait_group didn't wait for, from "
                + place_of(*warp.block->program, copy.from));
        }
    }
}

void end_hopper(Block& block) {
    for (const BulkCopy& copy : block.hopper.copies) {
        fail(block.warps[size_t(copy.warp)], copy.from, 0,
            "was in flight when the block ended: nobody has seen the mbarrier's phase complete");
    }
    for (size_t i = 0; i + 3 < block.warps.size(); i += 4) {
        for (size_t j = 1; j < 4; j++) {
            if (block.warps[i].part.issued != block.warps[i + j].part.issued) {
                throw Error(block.program->kernel->name + ": warps " + std::to_string(i) + " and " + std::to_string(i + j)
                    + " are of one warp group, but issued " + std::to_string(block.warps[i].part.issued) + " and "
                    + std::to_string(block.warps[i + j].part.issued) + " wgmma.mma_async");
            }
        }
    }
}

bool decode_bulk_copy(Decoder& decoder, const Modifiers& parts) {
    if (parts[0] != "cp" || !has(parts, "bulk")) return false;
    const auto& operands = decoder.statement().operands;
    if (parts.back() == "commit_group" || has(parts, "wait_group")) {
        const bool commits = parts.back() == "commit_group";
        Draft& draft = decoder.emit(commits ? commit : wait, Class::COPY, {}, {});
        if (!commits) draft.instruction.immediate = operands.at(0).value;
        return true;
    }
    if (has(parts, "tensor") || has(parts, "multicast::cluster") || has(parts, "cp_mask") || parts.size() < 6) return false;
    const bool loads = parts[4] == "global", stores = parts[3] == "global" && parts[5] == "bulk_group";
    if (loads ? !parts[3].starts_with("shared") || !has(parts, "mbarrier::complete_tx::bytes") : !stores) return false;
    const Operand &shared = operands.at(loads ? 0 : 1), &global = operands.at(loads ? 1 : 0);
    const auto is_wide = [&](const Operand& operand) {
        return operand.reg >= 0 && decoder.width_of(operand.reg) == Width::BITS64;
    };
    const auto width = [&](const Operand& operand) { return is_wide(operand) ? Width::BITS64 : Width::BITS32; };
    int64_t shared_offset, global_offset, mbarrier_offset = 0;
    const int d = decoder.base(shared, width(shared), shared_offset), a = decoder.base(global, Width::BITS64, global_offset);
    const int c = decoder.source(operands.at(2), Width::BITS32);
    const int b = loads ? decoder.base(operands.at(3), width(operands.at(3)), mbarrier_offset) : d;
    decoder.uses_async_proxy();
    Draft& draft = decoder.emit(loads ? copy_bulk<true> : copy_bulk<false>, Class::COPY, {},
        {{d, Draft::D}, {a, Draft::A}, {b, Draft::B}, {c, Draft::C}});
    draft.instruction.site = decoder.new_site();
    draft.more = {uint32_t(shared_offset), uint32_t(global_offset), uint32_t(mbarrier_offset), is_wide(shared),
        loads && is_wide(operands.at(3))};
    return true;
}

}  // namespace ptx
