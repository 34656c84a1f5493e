// SPDX-License-Identifier: Apache-2.0
// cp.async: copies from global to shared memory that arrive at once, at the wait for their group, or anywhere between.
#include "copy.h"

#include <algorithm>

#include "decode.h"
#include "global_access.h"

namespace ptx {

namespace {

void land(Warp& warp, Copy& copy, uint32_t lanes) {
    char* const shared = reinterpret_cast<char*>(warp.block->shared.data());
    for (uint32_t rest = lanes & ~copy.landed; rest; rest &= rest - 1) {
        const auto l = size_t(first_lane(rest));
        memset(shared + copy.target[l], 0, copy.width);
        memcpy(shared + copy.target[l], reinterpret_cast<const char*>(copy.source[l]), copy.bytes[l]);
    }
    copy.landed |= lanes;
}

// cp.async [d], [a], width, b: b bytes are copied, the rest is zero. The immediate is the width; `more` the offsets of d and a.
template <class A>
const Instruction* copy_async(Warp& warp, const Instruction* in) {
    const auto width = uint32_t(in->immediate);
    const A* const targets = lanes<A>(warp, in->d);
    const uint64_t* const sources = lanes<uint64_t>(warp, in->a);
    const uint32_t* const bytes = lanes<uint32_t>(warp, in->b);
    const auto target_offset = A(int32_t(in->more[0])), source_offset = uint64_t(int64_t(int32_t(in->more[1])));
    SharedMemory& shared = warp.block->shared;
    Copy& copy = warp.copies.emplace_back();
    copy.from = in;
    copy.lanes = warp.mask;
    copy.landed = 0;
    copy.width = width;
    uint64_t at[WARP], high = 0, bits = 0;
    uint32_t reads = 0;  // the lanes that copy anything
    for (size_t l = 0; l < WARP; l++) {
        const uint64_t target = A(targets[l] + target_offset);
        high |= warp.mask >> l & 1 ? target & ~uint64_t(0xFFFFFFFF) : 0;
        copy.target[l] = uint32_t(target);
        copy.source[l] = at[l] = sources[l] + source_offset;
        copy.bytes[l] = std::min(bytes[l], width);
        copy.group[l] = warp.copy_group[l];
        reads |= uint32_t(bytes[l] > 0) << l;
        bits |= warp.mask >> l & 1 ? target : 0;
    }
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        if (bytes[l] > width) fail(warp, in, l, "copies " + std::to_string(bytes[l]) + " bytes, more than its width");
        if (high || copy.target[size_t(l)] > shared.bytes() || copy.target[size_t(l)] + width > shared.bytes()) {
            fail(warp, in, l, "copies to byte " + std::to_string(copy.target[size_t(l)]) + " of shared memory, which has "
                 + std::to_string(shared.bytes()));
        }
        if (bits & (width - 1) && copy.target[size_t(l)] & (width - 1)) {
            fail(warp, in, l, "copies to byte " + std::to_string(copy.target[size_t(l)])
                 + " of shared memory, which is not aligned to " + std::to_string(width));
        }
    }
    const uint32_t all = warp.mask;
    if ((reads & all) != 0) {
        warp.mask = reads & all;
        if (warp.mask != ALL_LANES) fill_idle(at, warp.mask);
        // What is not copied need not be there; its address must be aligned all the same.
        const bool whole = std::all_of(copy.bytes.begin(), copy.bytes.end(), [&](uint32_t b) { return b == width || b == 0; });
        const uint32_t length = whole ? width : 1;
        const GlobalAccess access = access_global(warp, in, at, length, width);
        refuse_unwritten(warp, in, at, length, access);
        if (!whole) {
            for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
                const int l = first_lane(rest);
                uint64_t last[WARP];
                std::fill_n(last, WARP, at[l] + copy.bytes[size_t(l)] - 1);
                warp.mask = 1u << l;
                refuse_unwritten(warp, in, last, 1, access_global(warp, in, last, 1, 1));
            }
            warp.mask = reads & all;
        }
        if (warp.block->counters) count_global(warp, at, width, false);
        warp.mask = all;
    }
    for (uint32_t rest = all; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        shared.begin_copy(warp, in, {copy.target[size_t(l)], width, l, width}, turn_of(warp));
        memset(shared.data() + copy.target[size_t(l)], 0xFF, width);
    }
    if (warp.block->counters) count_shared(warp, reinterpret_cast<const uint32_t(&)[WARP]>(copy.target), width, true);
    const Landing landing = warp.block->options->landing;
    if (landing == Landing::EARLY) {
        land(warp, copy, all);
    } else if (landing == Landing::RANDOM) {
        land(warp, copy, all & uint32_t(warp.block->random()) & uint32_t(warp.block->random()));
    }
    return in + 1;
}

const Instruction* commit_group(Warp& warp, const Instruction* in) {
    for (size_t l = 0; l < WARP; l++) warp.copy_group[l] += warp.mask >> l & 1;
    return in + 1;
}

// Of each lane all groups but the last `immediate` ones have arrived afterwards; with ALL those never committed too.
template <bool ALL>
const Instruction* wait_group(Warp& warp, const Instruction* in) {
    const auto still = uint32_t(in->immediate);
    for (Copy& copy : warp.copies) {
        uint32_t arrives = 0;
        for (size_t l = 0; l < WARP; l++) {
            arrives |= uint32_t(ALL || copy.group[l] + still < warp.copy_group[l]) << l;
        }
        arrives &= copy.lanes & warp.mask;
        land(warp, copy, arrives);
        for (uint32_t rest = arrives; rest; rest &= rest - 1) {
            const int l = first_lane(rest);
            warp.block->shared.end_copy<true>({copy.target[size_t(l)], copy.width, l, copy.width}, turn_of(warp));
        }
        copy.lanes &= ~arrives;
    }
    std::erase_if(warp.copies, [](const Copy& copy) { return copy.lanes == 0; });
    return in + 1;
}

}  // namespace

void land_some_copies(Warp& warp) {
    if (warp.block->options->landing == Landing::RANDOM) {
        for (Copy& copy : warp.copies) {
            land(warp, copy, copy.lanes & uint32_t(warp.block->random()) & uint32_t(warp.block->random()));
        }
    }
}

bool decode_copy(Decoder& decoder, const Modifiers& parts) {
    if (parts[0] != "cp" || parts.size() < 2 || parts[1] != "async") {
        return false;
    }
    const auto& operands = decoder.statement().operands;
    if (parts.size() > 2 && (parts[2] == "commit_group" || parts[2] == "wait_group" || parts[2] == "wait_all")) {
        const bool commits = parts[2] == "commit_group", all = parts[2] == "wait_all";
        Draft& draft = decoder.emit(commits ? commit_group : all ? wait_group<true> : wait_group<false>, Class::COPY, {}, {});
        if (!commits && !all) draft.instruction.immediate = operands.at(0).value;
        return true;
    }
    if (parts.size() < 5 || (parts[2] != "ca" && parts[2] != "cg") || parts[4] != "global") {
        return false;
    }
    int64_t width = 0;
    if (!decoder.is_constant(operands.at(2), width) || (width != 4 && width != 8 && width != 16)) {
        decoder.refuse("a width that is not 4, 8 or 16");
    }
    const bool wide = operands[0].reg >= 0 && decoder.width_of(operands[0].reg) == Width::BITS64;
    int64_t target_offset, source_offset;
    const int d = decoder.base(operands[0], wide ? Width::BITS64 : Width::BITS32, target_offset);
    const int a = decoder.base(operands.at(1), Width::BITS64, source_offset);
    const int b = operands.size() > 3 ? decoder.source(operands[3], Width::BITS32)
        : decoder.constant(uint64_t(width), Width::BITS32);
    decoder.writes_shared(uint32_t(width));
    Draft& draft = decoder.emit(wide ? copy_async<uint64_t> : copy_async<uint32_t>, Class::COPY, {},
                                {{d, Draft::D}, {a, Draft::A}, {b, Draft::B}});
    draft.instruction.immediate = width;
    draft.instruction.site = decoder.new_site();
    draft.more = {uint32_t(target_offset), uint32_t(source_offset)};
    return true;
}

}  // namespace ptx
