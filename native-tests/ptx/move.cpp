// SPDX-License-Identifier: Apache-2.0
// mov, cvta, and logic on predicates.
#include "decode.h"

namespace ptx {

namespace {

template <class T>
struct Move {
    T operator()(T a) const { return a; }
};

template <class To, class From>
struct Resize {
    To operator()(From a) const { return To(a); }
};

template <class To, class From>
Handler resize_of(bool is_signed) {
    return is_signed ? elementwise<Resize<std::make_signed_t<To>, std::make_signed_t<From>>, false>
                     : elementwise<Resize<To, From>, false>;
}

template <class To>
Handler resize_to(Width from, bool is_signed) {
    return from == Width::BITS16   ? resize_of<To, uint16_t>(is_signed)
           : from == Width::BITS32 ? resize_of<To, uint32_t>(is_signed)
                                   : resize_of<To, uint64_t>(is_signed);
}

// mov.b32 {a, b}, c and the like: `more` are the parts, from the low bits.
template <class Whole, class Part>
const Instruction* unpack(Warp& warp, const Instruction* in) {
    constexpr size_t PARTS = sizeof(Whole) / sizeof(Part);
    Whole whole[WARP];
    memcpy(whole, lanes<Whole>(warp, in->a), sizeof whole);
    for (size_t i = 0; i < PARTS; i++) {
        Part* const d = lanes<Part>(warp, in->more[i]);
        for (int l = 0; l < WARP; l++) {
            d[l] = warp.mask >> l & 1 ? Part(whole[l] >> (8 * sizeof(Part) * i)) : d[l];
        }
    }
    return in + 1;
}

template <class Whole, class Part>
const Instruction* pack(Warp& warp, const Instruction* in) {
    constexpr size_t PARTS = sizeof(Whole) / sizeof(Part);
    Whole whole[WARP] = {};
    for (size_t i = 0; i < PARTS; i++) {
        const Part* const part = lanes<Part>(warp, in->more[i]);
        for (int l = 0; l < WARP; l++) {
            whole[l] |= Whole(Whole(part[l]) << (8 * sizeof(Part) * i));
        }
    }
    Whole* const d = lanes<Whole>(warp, in->d);
    for (int l = 0; l < WARP; l++) {
        d[l] = warp.mask >> l & 1 ? whole[l] : d[l];
    }
    return in + 1;
}

void decode_vector(Decoder& decoder, Width whole) {
    const auto& operands = decoder.statement().operands;
    const bool packs = operands[1].kind == Operand::VECTOR;
    const auto& parts = packs ? operands[1].parts : operands[0].parts;
    const int bits = bits_of(whole) / int(parts.size());
    const Width part = bits == 16 ? Width::BITS16 : Width::BITS32;
    if (bits != bits_of(part) || (whole == Width::BITS32 && part != Width::BITS16)) {
        decoder.refuse("a vector of a size that is not known");
    }
    const int unpacked = packs ? -1 : decoder.source(operands[1], whole);  // sources come before targets
    std::vector<Decoder::Argument> registers;
    for (size_t i = 0; i < parts.size(); i++) {
        registers.push_back({packs ? decoder.source(parts[i], part) : decoder.target(parts[i], part), Draft::MORE + int(i)});
    }
    if (packs) {
        const Handler run = whole == Width::BITS32  ? pack<uint32_t, uint16_t>
                            : part == Width::BITS16 ? pack<uint64_t, uint16_t>
                                                    : pack<uint64_t, uint32_t>;
        decoder.emit(run, Class::MOVE, {{decoder.target(operands[0], whole), Draft::D}}, registers);
    } else {
        const Handler run = whole == Width::BITS32 ? unpack<uint32_t, uint16_t>
                            : part == Width::BITS16 ? unpack<uint64_t, uint16_t>
                                                    : unpack<uint64_t, uint32_t>;
        decoder.emit(run, Class::MOVE, registers, {{unpacked, Draft::A}});
    }
}

Width width_of_type(Decoder& decoder, std::string_view type) {
    if (type == "pred") return Width::PREDICATE;
    if (type.ends_with("16")) return Width::BITS16;
    if (type.ends_with("32") || type == "f16x2" || type == "bf16x2") return Width::BITS32;
    if (type.ends_with("64")) return Width::BITS64;
    decoder.refuse("an unknown type");
}

const Instruction* move_predicate(Warp& warp, const Instruction* in) {
    set_predicate(warp, in->d, predicate(warp, in->a));
    return in + 1;
}

// Plus a window's start, or minus it; the immediate.
struct Shift {
    uint64_t operator()(uint64_t a, uint64_t b) const { return a + b; }
};

enum class Logic { AND, OR, XOR };

template <Logic LOGIC>
const Instruction* combine(Warp& warp, const Instruction* in) {
    const uint32_t a = predicate(warp, in->a), b = predicate(warp, in->b);
    set_predicate(warp, in->d, LOGIC == Logic::AND ? a & b : LOGIC == Logic::OR ? a | b : a ^ b);
    return in + 1;
}

Handler combination(std::string_view logic) {
    return logic == "and" ? combine<Logic::AND> : logic == "or" ? combine<Logic::OR> : logic == "xor" ? combine<Logic::XOR>
        : nullptr;
}

// setp.CMP[.BOOL][.ftz].TYPE p[|q], a, b[, c]
bool decode_setp(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    const bool pair = operands.at(0).kind == Operand::PAIR;
    const Handler logic = parts.size() > 3 ? combination(parts[2]) : nullptr;
    if (!pair && !logic) {
        return false;
    }
    const Form* form = forms().find(std::string("setp.") + std::string(parts[1]) + "." + std::string(parts.back()));
    if (!form || has(parts, "ftz")) {
        return false;
    }
    const int holds = decoder.temporary(Width::PREDICATE);
    const int a = decoder.source(operands.at(1), form->arguments[0]), b = decoder.source(operands.at(2), form->arguments[1]);
    decoder.emit(form->registers, form->kind, {{holds, Draft::D}}, {{a, Draft::A}, {b, Draft::B}});
    const int c = logic ? decoder.source(operands.at(3), Width::PREDICATE) : -1;
    int fails = -1;
    if (pair) {
        fails = decoder.temporary(Width::PREDICATE);
        decoder.emit(negate_predicate, Class::INTEGER, {{fails, Draft::D}}, {{holds, Draft::A}});
    }
    const auto finish = [&](const Operand& target, int value) {
        const int d = decoder.target(target, Width::PREDICATE);
        if (logic) {
            decoder.emit(logic, Class::INTEGER, {{d, Draft::D}}, {{value, Draft::A}, {c, Draft::B}});
        } else {
            decoder.emit(move_predicate, Class::MOVE, {{d, Draft::D}}, {{value, Draft::A}});
        }
    };
    finish(pair ? operands[0].parts[0] : operands[0], holds);
    if (pair) finish(operands[0].parts[1], fails);
    return true;
}

}  // namespace

const Instruction* negate_predicate(Warp& warp, const Instruction* in) {
    set_predicate(warp, in->d, ~predicate(warp, in->a));
    return in + 1;
}

Handler resize(Width to, Width from, bool is_signed) {
    return to == Width::BITS16   ? resize_to<uint16_t>(from, is_signed)
           : to == Width::BITS32 ? resize_to<uint32_t>(from, is_signed)
                                 : resize_to<uint64_t>(from, is_signed);
}

bool decode_move(Decoder& decoder, const Modifiers& parts) {
    const auto& operands = decoder.statement().operands;
    if (parts[0] == "cvta") {
        const Width width = width_of_type(decoder, parts.back());
        const uint64_t window = has(parts, "shared") || has(parts, "shared::cta") ? SHARED_WINDOW : has(parts, "local")
            ? LOCAL_WINDOW : 0;
        const int a = decoder.source(operands.at(1), width);
        Draft& draft = decoder.emit(elementwise<Shift, true>, Class::INTEGER, {{decoder.target(operands[0], width), Draft::D}},
                                    {{a, Draft::A}});
        draft.instruction.immediate = int64_t(has(parts, "to") ? 0 - window : window);
        return true;
    }
    if (parts[0] != "mov") {
        return false;
    }
    const Width width = width_of_type(decoder, parts.back());
    if (operands.at(0).kind == Operand::VECTOR || operands.at(1).kind == Operand::VECTOR) {
        decode_vector(decoder, width);
        return true;
    }
    if (width == Width::PREDICATE) {
        const int a = decoder.source(operands[1], width);
        decoder.emit(move_predicate, Class::MOVE, {{decoder.target(operands[0], width), Draft::D}}, {{a, Draft::A}});
        return true;
    }
    int64_t value;
    const bool immediate = decoder.is_constant(operands[1], value);
    std::vector<Decoder::Argument> uses;
    if (!immediate) uses.push_back({decoder.source(operands[1], width), Draft::A});
    const int d = decoder.target(operands[0], width);
    const auto run = [&]<class T>(T) { return immediate ? elementwise<Move<T>, true> : elementwise<Move<T>, false>; };
    Draft& draft = decoder.emit(width == Width::BITS16   ? run(uint16_t())
                                : width == Width::BITS32 ? run(uint32_t())
                                                         : run(uint64_t()),
                                Class::MOVE, {{d, Draft::D}}, uses);
    if (immediate) draft.instruction.immediate = value;
    return true;
}

bool decode_predicate(Decoder& decoder, const Modifiers& parts) {
    if (parts[0] == "setp") {
        return decode_setp(decoder, parts);
    }
    if (parts.back() != "pred" || parts.size() != 2) {
        return false;
    }
    const auto& operands = decoder.statement().operands;
    if (parts[0] == "not") {
        const int a = decoder.source(operands.at(1), Width::PREDICATE);
        decoder.emit(negate_predicate, Class::INTEGER, {{decoder.target(operands[0], Width::PREDICATE), Draft::D}},
                     {{a, Draft::A}});
        return true;
    }
    const Handler run = combination(parts[0]);
    if (!run) {
        return false;
    }
    const int a = decoder.source(operands.at(1), Width::PREDICATE), b = decoder.source(operands.at(2), Width::PREDICATE);
    decoder.emit(run, Class::INTEGER, {{decoder.target(operands[0], Width::PREDICATE), Draft::D}},
                 {{a, Draft::A}, {b, Draft::B}});
    return true;
}

}  // namespace ptx
