// SPDX-License-Identifier: Apache-2.0
// shfl, vote, match, redux, activemask: what lanes of a warp exchange.
#include "decode.h"

namespace ptx {

namespace {

// Whether all lanes of the mask in operand `place` have come; else the group waits. All that run must be in their mask.
bool members_here(Warp& warp, const Instruction* in, uint32_t place, uint32_t& members) {
    const uint32_t* const masks = lanes<uint32_t>(warp, place);
    const uint32_t mask = masks[first_lane(warp.mask)];
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        if (masks[first_lane(rest)] != mask) {
            fail(warp, in, first_lane(rest), "has another mask than lane " + std::to_string(first_lane(warp.mask)));
        }
    }
    members = mask & warp.existing;
    if (warp.mask & ~members) {
        fail(warp, in, first_lane(warp.mask & ~members), "is not in its own mask");
    }
    if (members & ~warp.alive) {
        fail(warp, in, -1, "waits for lane " + std::to_string(first_lane(members & ~warp.alive)) + ", which has returned");
    }
    return warp.mask == members;
}

// `more`: the members' mask, and the place of the predicate or 0.
template <Shuffle MODE>
const Instruction* shuffle(Warp& warp, const Instruction* in) {
    uint32_t members;
    if (!members_here(warp, in, in->more[0], members)) return wait_for_lanes(warp, in);
    uint32_t values[WARP], results[WARP];
    memcpy(values, lanes<uint32_t>(warp, in->a), sizeof values);
    const uint32_t* const b = lanes<uint32_t>(warp, in->b);
    const uint32_t* const c = lanes<uint32_t>(warp, in->c);
    int32_t sources[WARP], in_range[WARP];
    uint32_t outside = 0;
    for (int l = 0; l < WARP; l++) {
        const ShuffleSource source = shfl(MODE, l, b[l], c[l]);
        sources[l] = source.lane & 31;
        in_range[l] = -int32_t(source.in_range);
    }
    for (int l = 0; l < WARP; l++) outside |= (members >> l & 1) & ~(members >> sources[l]);
    for (int l = 0; l < WARP; l++) results[l] = values[sources[l]];
    if (outside & 1) [[unlikely]] {
        for (int l = 0; l < WARP; l++) {
            if (members >> l & ~(members >> sources[l]) & 1) {
                fail(warp, in, l, "reads from lane " + std::to_string(sources[l]) + ", which doesn't take part");
            }
        }
    }
    uint32_t* const d = lanes<uint32_t>(warp, in->d);
    for (int l = 0; l < WARP; l++) d[l] = members >> l & 1 ? results[l] : d[l];
    set_predicate(warp, in->more[1], sign_mask(in_range));
    return in + 1;
}

enum class Vote { ALL, ANY, UNI, BALLOT };

template <Vote VOTE>
const Instruction* vote(Warp& warp, const Instruction* in) {
    uint32_t members;
    if (!members_here(warp, in, in->b, members)) return wait_for_lanes(warp, in);
    const uint32_t predicates = predicate(warp, in->a);
    if constexpr (VOTE == Vote::BALLOT) {
        uint32_t* const d = lanes<uint32_t>(warp, in->d);
        const uint32_t ballot = vote_ballot(predicates, members);
        for (int l = 0; l < WARP; l++) d[l] = members >> l & 1 ? ballot : d[l];
    } else {
        const bool holds = VOTE == Vote::ALL   ? vote_all(predicates, members)
                           : VOTE == Vote::ANY ? vote_any(predicates, members)
                                               : vote_uni(predicates, members);
        set_predicate(warp, in->d, holds ? ALL_LANES : 0);
    }
    return in + 1;
}

// `more`: the place of the predicate.
template <class T, bool ALL>
const Instruction* match(Warp& warp, const Instruction* in) {
    uint32_t members;
    if (!members_here(warp, in, in->b, members)) return wait_for_lanes(warp, in);
    T values[WARP];
    memcpy(values, lanes<T>(warp, in->a), sizeof values);
    uint32_t* const d = lanes<uint32_t>(warp, in->d);
    const uint32_t all = ALL ? match_all(values, members) : 0;
    for (int l = 0; l < WARP; l++) {
        if (members >> l & 1) d[l] = ALL ? all : match_any(values, values[l], members);
    }
    set_predicate(warp, in->more[0], all ? ALL_LANES : 0);
    return in + 1;
}

template <class T, Reduction OPERATION>
const Instruction* reduce(Warp& warp, const Instruction* in) {
    uint32_t members;
    if (!members_here(warp, in, in->b, members)) return wait_for_lanes(warp, in);
    const T result = redux(OPERATION, lanes<T>(warp, in->a), members);
    T* const d = lanes<T>(warp, in->d);
    for (int l = 0; l < WARP; l++) d[l] = members >> l & 1 ? result : d[l];
    return in + 1;
}

const Instruction* active_mask(Warp& warp, const Instruction* in) {
    uint32_t* const d = lanes<uint32_t>(warp, in->d);
    for (int l = 0; l < WARP; l++) d[l] = warp.mask >> l & 1 ? warp.mask : d[l];
    return in + 1;
}

bool decode_shfl(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    const std::string_view mode = parts.at(2);
    const Handler run = mode == "bfly"  ? shuffle<Shuffle::BFLY>
                        : mode == "idx" ? shuffle<Shuffle::IDX>
                        : mode == "up"  ? shuffle<Shuffle::UP>
                                        : shuffle<Shuffle::DOWN>;
    if (operands.size() != 5) decoder.refuse("takes 5 operands");
    const int a = decoder.source(operands[1], Width::BITS32), b = decoder.source(operands[2], Width::BITS32);
    const int c = decoder.source(operands[3], Width::BITS32), mask = decoder.source(operands[4], Width::BITS32);
    const bool pair = operands[0].kind == Operand::PAIR;
    const int d = decoder.target(pair ? operands[0].parts[0] : operands[0], Width::BITS32);
    const int p = pair ? decoder.target(operands[0].parts[1], Width::PREDICATE) : decoder.temporary(Width::PREDICATE);
    decoder.emit(run, Class::SHUFFLE, {{d, Draft::D}, {p, Draft::MORE + 1}},
                 {{a, Draft::A}, {b, Draft::B}, {c, Draft::C}, {mask, Draft::MORE}});
    return true;
}

bool decode_vote(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    const std::string_view mode = parts.at(2);
    const Handler run = mode == "ballot" ? vote<Vote::BALLOT>
                        : mode == "any"  ? vote<Vote::ANY>
                        : mode == "all"  ? vote<Vote::ALL>
                                         : vote<Vote::UNI>;
    const int a = decoder.source(operands.at(1), Width::PREDICATE), mask = decoder.source(operands.at(2), Width::BITS32);
    const int d = decoder.target(operands[0], mode == "ballot" ? Width::BITS32 : Width::PREDICATE);
    decoder.emit(run, Class::SHUFFLE, {{d, Draft::D}}, {{a, Draft::A}, {mask, Draft::B}});
    return true;
}

bool decode_match(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    const bool all = parts.at(1) == "all", wide = parts.back() == "b64";
    const Handler run = all    ? wide ? match<uint64_t, true> : match<uint32_t, true>
                        : wide ? match<uint64_t, false>
                               : match<uint32_t, false>;
    const int a = decoder.source(operands.at(1), wide ? Width::BITS64 : Width::BITS32);
    const int mask = decoder.source(operands.at(2), Width::BITS32);
    const bool pair = operands[0].kind == Operand::PAIR;
    const int d = decoder.target(pair ? operands[0].parts[0] : operands[0], Width::BITS32);
    const int p = pair ? decoder.target(operands[0].parts[1], Width::PREDICATE) : decoder.temporary(Width::PREDICATE);
    decoder.emit(run, Class::SHUFFLE, {{d, Draft::D}, {p, Draft::MORE}}, {{a, Draft::A}, {mask, Draft::B}});
    return true;
}

bool decode_redux(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    const std::string_view operation = parts.at(2), type = parts.back();
    const bool is_signed = type == "s32";
    const Handler run = operation == "add"   ? reduce<uint32_t, Reduction::ADD>
                        : operation == "min" ? is_signed ? reduce<int32_t, Reduction::MIN> : reduce<uint32_t, Reduction::MIN>
                        : operation == "max" ? is_signed ? reduce<int32_t, Reduction::MAX> : reduce<uint32_t, Reduction::MAX>
                        : operation == "and" ? reduce<uint32_t, Reduction::AND>
                        : operation == "or"  ? reduce<uint32_t, Reduction::OR>
                        : operation == "xor" ? reduce<uint32_t, Reduction::XOR>
                                             : nullptr;
    if (!run || type.ends_with("f32")) return false;
    const int a = decoder.source(operands.at(1), Width::BITS32), mask = decoder.source(operands.at(2), Width::BITS32);
    decoder.emit(run, Class::SHUFFLE, {{decoder.target(operands[0], Width::BITS32), Draft::D}},
                 {{a, Draft::A}, {mask, Draft::B}});
    return true;
}

}  // namespace

bool decode_shuffle(Decoder& decoder, const Modifiers& parts) {
    if (parts[0] == "activemask") {
        decoder.emit(active_mask, Class::SHUFFLE, {{decoder.target(decoder.statement().operands.at(0), Width::BITS32),
                                                    Draft::D}}, {});
        return true;
    }
    if (parts.size() < 3) return false;
    if (parts[0] == "shfl" && parts[1] == "sync") return decode_shfl(decoder, parts);
    if (parts[0] == "vote" && parts[1] == "sync") return decode_vote(decoder, parts);
    if (parts[0] == "match") return decode_match(decoder, parts);
    if (parts[0] == "redux" && parts[1] == "sync") return decode_redux(decoder, parts);
    return false;
}

}  // namespace ptx
