// SPDX-License-Identifier: Apache-2.0
// Tensor maps that kernels make by tensormap.replace, and copies of boxes of tensors to shared memory by them.
#include <algorithm>

#include "bulk_copy.h"
#include "decode.h"
#include "global_access.h"

namespace ptx {

namespace {

constexpr int RANK = 5, MAP_BYTES = 128;
constexpr uint32_t PIECE = 16;

// What the 128 opaque bytes hold here. Nothing of a card's format is known.
struct TensorMap {
    static constexpr uint64_t MARK = 0x70614D726F736E54;
    uint64_t mark;  // other bits: nothing was set yet
    uint64_t address, strides[RANK - 1];
    uint32_t dims[RANK];
    uint16_t box[RANK];
    uint8_t element_strides[RANK], rank_less_one, type, swizzle, interleave, fill;

    uint32_t element_bytes() const {
        constexpr uint32_t BYTES[] = {1, 2, 4, 4, 8, 8, 2, 4, 4, 8, 2, 4, 4};
        return type < std::size(BYTES) ? BYTES[type] : 0;
    }
};
static_assert(sizeof(TensorMap) <= MAP_BYTES);

enum class Field { ADDRESS, RANK, BOX, DIM, STRIDE, ELEMENT_STRIDE, TYPE, INTERLEAVE, SWIZZLE, FILL };

// The host's address of a map in global or shared memory.
char* map_at(Warp& warp, const Instruction* in, int lane, uint64_t at, bool in_shared, bool reads, bool writes) {
    if (at % MAP_BYTES != 0)
        fail(warp, in, lane, "has a tensor map at byte " + std::to_string(at) + ", which is not aligned to 128");
    SharedMemory& shared = warp.block->shared;
    if (in_shared) {
        if (at + MAP_BYTES > shared.bytes()) fail(warp, in, lane, "has a tensor map outside of shared memory");
        const Access access{uint32_t(at), MAP_BYTES, lane, MAP_BYTES};
        if (reads) shared.read(warp, in, access, turn_of(warp));
        if (writes) shared.write(warp, in, access, turn_of(warp));
        return reinterpret_cast<char*>(shared.data()) + at;
    }
    if (reads) check_global(warp, in, lane, at, MAP_BYTES, true);
    if (writes) check_global(warp, in, lane, at, MAP_BYTES, false);
    return reinterpret_cast<char*>(at);
}

// a: the address; b: the value; more: the field, its ordinal, whether the map is in shared memory.
template <class A, class V>
const Instruction* replace(Warp& warp, const Instruction* in) {
    const auto field = Field(in->more[0]);
    const uint32_t ordinal = in->more[1];
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        uint64_t at = uint64_t(lanes<A>(warp, in->a)[l] + A(in->immediate));
        const bool in_shared = in->more[2] || at - SHARED_WINDOW < (uint64_t(1) << 32);
        if (at - SHARED_WINDOW < (uint64_t(1) << 32)) at -= SHARED_WINDOW;
        char* const place = map_at(warp, in, l, at, in_shared, false, true);
        const uint64_t value = lanes<V>(warp, in->b)[l];
        TensorMap map;
        memcpy(&map, place, sizeof map);
        if (map.mark != TensorMap::MARK) {
            map = {};
            map.mark = TensorMap::MARK;
            std::fill_n(map.element_strides, RANK, uint8_t(1));
        }
        switch (field) {
            case Field::ADDRESS: map.address = value; break;
            case Field::RANK: map.rank_less_one = uint8_t(value); break;
            case Field::BOX: map.box[ordinal] = uint16_t(value); break;
            case Field::DIM: map.dims[ordinal] = uint32_t(value); break;
            case Field::STRIDE: map.strides[ordinal] = value; break;
            case Field::ELEMENT_STRIDE: map.element_strides[ordinal] = uint8_t(value); break;
            case Field::TYPE: map.type = uint8_t(value); break;
            case Field::INTERLEAVE: map.interleave = uint8_t(value); break;
            case Field::SWIZZLE: map.swizzle = uint8_t(value); break;
            case Field::FILL: map.fill = uint8_t(value); break;
        }
        memset(place, 0, MAP_BYTES);
        memcpy(place, &map, sizeof map);
    }
    return in + 1;
}

// tensormap.cp_fenceproxy: d in global, a in shared memory.
template <class A>
const Instruction* publish(Warp& warp, const Instruction* in) {
    if (!all_here(warp)) return wait_for_lanes(warp, in);
    const int l = first_lane(warp.mask);
    const char* const from = map_at(warp, in, l, lanes<A>(warp, in->a)[l] + A(int32_t(in->more[0])), true, true, false);
    memcpy(map_at(warp, in, l, lanes<uint64_t>(warp, in->d)[l] + uint64_t(in->immediate), false, false, true), from, MAP_BYTES);
    return in + 1;
}

// d: the target; a: the map; b: the mbarrier; more: their offsets, then the coordinates.
template <class A>
const Instruction* copy_box(Warp& warp, const Instruction* in) {
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        TensorMap map;
        memcpy(&map, map_at(warp, in, l, lanes<uint64_t>(warp, in->a)[l] + uint64_t(int64_t(int32_t(in->more[1]))), false, true,
            false), sizeof map);
        const int rank = int(in->immediate);
        if (map.mark != TensorMap::MARK || map.rank_less_one + 1 != rank)
            fail(warp, in, l, "has no tensor map of " + std::to_string(rank) + " dimensions at its address");
        const uint32_t size = map.element_bytes(), inner = map.box[0] * size;
        constexpr uint32_t SWIZZLES[] = {0, 32, 64, 128};
        if (size == 0 || map.swizzle > 3 || map.interleave != 0 || map.fill != 0
            || std::any_of(map.element_strides, map.element_strides + rank, [](uint8_t stride) { return stride != 1; })) {
            fail(warp, in, l, "has a tensor map of a kind that the simulator doesn't know");
        }
        BulkCopy copy{};
        copy.swizzle = SWIZZLES[map.swizzle];
        copy.bytes = size;
        for (int i = 0; i < rank; i++) copy.bytes *= map.box[i];
        copy.shared = uint32_t(lanes<A>(warp, in->d)[l] + A(int32_t(in->more[0])));
        if (inner == 0 || inner % PIECE != 0 || map.address % PIECE != 0 || copy.shared % 128 != 0
            || (copy.swizzle && inner > copy.swizzle)) {
            fail(warp, in, l, "has a box whose lines of " + std::to_string(inner)
                + " bytes are no multiple of 16 or wider than the swizzle, or addresses that are not aligned");
        }
        if (copy.bytes + uint64_t(copy.shared) > warp.block->shared.bytes()) {
            fail(warp, in, l, "copies " + std::to_string(copy.bytes) + " bytes to byte " + std::to_string(copy.shared)
                + " of shared memory, which has " + std::to_string(warp.block->shared.bytes()));
        }
        // What lies outside of the tensor is zero.
        copy.data.assign(copy.bytes, 0);
        int64_t first[RANK];
        for (int i = 0; i < rank; i++) first[i] = lanes<int32_t>(warp, in->more[3 + i])[l];
        for (uint32_t element = 0; element < copy.bytes / size; element++) {
            uint32_t index = element;
            uint64_t at = map.address;
            bool inside = true;
            for (int i = 0; i < rank; i++) {
                const int64_t coordinate = first[i] + index % map.box[i];
                index /= map.box[i];
                inside &= coordinate >= 0 && coordinate < int64_t(map.dims[i]);
                at += uint64_t(coordinate) * (i == 0 ? size : map.strides[i - 1]);
            }
            if (!inside) continue;
            if (element % map.box[0] == 0 || at % PIECE == 0) check_global(warp, in, l, at / PIECE * PIECE, PIECE, true);
            memcpy(&copy.data[element * size], reinterpret_cast<const void*>(at), size);
        }
        begin_load(warp, in, l, std::move(copy), uint32_t(lanes<A>(warp, in->b)[l] + A(int32_t(in->more[2]))));
    }
    return in + 1;
}

bool decode_replace(Decoder& decoder, const Modifiers& parts) {
    constexpr std::pair<std::string_view, Field> FIELDS[] = {
        {"global_address", Field::ADDRESS}, {"rank", Field::RANK}, {"box_dim", Field::BOX}, {"global_dim", Field::DIM},
            {"global_stride", Field::STRIDE},
        {"element_stride", Field::ELEMENT_STRIDE}, {"elemtype", Field::TYPE}, {"interleave_layout", Field::INTERLEAVE},
            {"swizzle_mode", Field::SWIZZLE}, {"fill_mode", Field::FILL}};
    const auto field = std::find_if(std::begin(FIELDS), std::end(FIELDS),
        [&](const auto& known) { return parts.size() > 4 && parts[3] == known.first; });
    if (parts[2] != "tile" || field == std::end(FIELDS)) return false;
    const auto& operands = decoder.statement().operands;
    const bool wide = parts.back() == "b64", in_shared = has(parts, "shared::cta");
    int64_t ordinal = 0, offset;
    if (operands.size() == 3
        && (!decoder.is_constant(operands[1], ordinal) || ordinal < 0 || ordinal >= RANK - (field->second == Field::STRIDE)))
        decoder.refuse("has no such dimension");
    const bool wide_address = operands[0].reg < 0 || decoder.width_of(operands[0].reg) == Width::BITS64;
    const int a = decoder.base(operands[0], wide_address ? Width::BITS64 : Width::BITS32, offset);
    const int b = decoder.source(operands.back(), wide ? Width::BITS64 : Width::BITS32);
    decoder.writes_shared(PIECE);
    const Handler run = wide_address ? (wide ? replace<uint64_t, uint64_t> : replace<uint64_t, uint32_t>)
                                     : (wide ? replace<uint32_t, uint64_t> : replace<uint32_t, uint32_t>);
    Draft& draft = decoder.emit(run, Class::STORE, {}, {{a, Draft::A}, {b, Draft::B}});
    draft.instruction.immediate = offset;
    draft.instruction.site = decoder.new_site();
    draft.more = {uint32_t(field->second), uint32_t(ordinal), in_shared};
    return true;
}

}  // namespace

bool decode_tensor_copy(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    if (parts[0] == "tensormap" && parts.size() > 3 && parts[1] == "replace") return decode_replace(decoder, parts);
    if (parts[0] == "tensormap" && parts.size() > 3 && parts[1] == "cp_fenceproxy") {
        int64_t to, from;
        const int d = decoder.base(operands.at(0), Width::BITS64, to);
        const bool wide = operands.at(1).reg < 0 || decoder.width_of(operands[1].reg) == Width::BITS64;
        const int a = decoder.base(operands[1], wide ? Width::BITS64 : Width::BITS32, from);
        Draft& draft = decoder.emit(wide ? publish<uint64_t> : publish<uint32_t>, Class::STORE, {},
            {{d, Draft::D}, {a, Draft::A}});
        draft.instruction.immediate = to;
        draft.instruction.site = decoder.new_site();
        draft.more = {uint32_t(from)};
        return true;
    }
    if (parts[0] != "cp" || parts.size() < 8 || parts[2] != "bulk" || parts[3] != "tensor" || !parts[5].starts_with("shared")
        || parts[6] != "global"
        || !has(parts, "mbarrier::complete_tx::bytes") || has(parts, "multicast::cluster")) {
        return false;
    }
    const int rank = parts[4][0] - '0';
    const auto& coordinates = operands.at(1).parts;
    for (const std::string_view part : parts) {
        if (part.starts_with("im2col") || part.starts_with("tile::")) return false;
    }
    if (rank < 1 || rank > RANK || int(coordinates.size()) != rank) decoder.refuse("takes a coordinate for each dimension");
    const bool wide = operands[0].reg >= 0 && decoder.width_of(operands[0].reg) == Width::BITS64;
    const Width width = wide ? Width::BITS64 : Width::BITS32;
    int64_t target, map, mbarrier;
    const int d = decoder.base(operands[0], width, target), a = decoder.base(operands[1], Width::BITS64, map);
    const int b = decoder.base(operands.at(2), width, mbarrier);
    std::vector<Decoder::Argument> uses{{d, Draft::D}, {a, Draft::A}, {b, Draft::B}};
    for (int i = 0; i < rank; i++) uses.push_back({decoder.source(coordinates[size_t(i)], Width::BITS32), Draft::MORE + 3 + i});
    decoder.uses_async_proxy();
    Draft& draft = decoder.emit(wide ? copy_box<uint64_t> : copy_box<uint32_t>, Class::COPY, {}, uses);
    draft.instruction.immediate = rank;
    draft.instruction.site = decoder.new_site();
    draft.more[0] = uint32_t(target);
    draft.more[1] = uint32_t(map);
    draft.more[2] = uint32_t(mbarrier);
    return true;
}

}  // namespace ptx
