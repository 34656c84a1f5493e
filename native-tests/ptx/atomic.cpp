// SPDX-License-Identifier: Apache-2.0
// atom and red. Lanes take their turns in order; blocks on other threads of the host may come between.
#include <atomic>

#include "decode.h"
#include "global_access.h"
#include "semantics/arithmetic.h"

namespace ptx {

namespace {

enum class Operation { ADD, MIN, MAX, AND, OR, XOR, EXCH, CAS, INC, DEC };

// T is the instruction's type; float and double have numbers of their own.
template <Operation OPERATION, class T>
T combined(T old, T b, T c) {
    switch (OPERATION) {
        case Operation::ADD:
            if constexpr (std::is_same_v<T, float>) {
                return f32(add_f32(std::bit_cast<uint32_t>(old), std::bit_cast<uint32_t>(b)));
            } else if constexpr (std::is_same_v<T, double>) {
                return f64(add_f64(std::bit_cast<uint64_t>(old), std::bit_cast<uint64_t>(b)));
            } else {
                return T(std::make_unsigned_t<T>(old) + std::make_unsigned_t<T>(b));
            }
        case Operation::MIN: return std::min(old, b);
        case Operation::MAX: return std::max(old, b);
        case Operation::EXCH: return b;
        case Operation::CAS: return old == b ? c : old;
        default: break;
    }
    if constexpr (std::is_unsigned_v<T>) {
        switch (OPERATION) {
            case Operation::AND: return old & b;
            case Operation::OR: return old | b;
            case Operation::XOR: return old ^ b;
            case Operation::INC: return old >= b ? T(0) : T(old + 1);
            case Operation::DEC: return old == 0 || old > b ? b : T(old - 1);
            default: break;
        }
    }
    return old;
}

// The immediate is the address's offset. What red has for a result goes to a register that nobody reads.
template <Operation OPERATION, class T, bool SHARED, class A>
const Instruction* atomic(Warp& warp, const Instruction* in) {
    uint64_t at[WARP];
    const A* const base = lanes<A>(warp, in->a);
    for (int l = 0; l < WARP; l++) at[l] = A(base[l] + A(in->immediate));
    if (warp.mask != ALL_LANES) fill_idle(at, warp.mask);
    SharedMemory& shared = warp.block->shared;
    // A generic address may be one of shared memory.
    bool in_shared = SHARED;
    if (!SHARED && at[0] - SHARED_WINDOW < (uint64_t(1) << 32)) {
        in_shared = true;
        for (int l = 0; l < WARP; l++) at[l] -= SHARED_WINDOW;
    }
    if (in_shared) {
        for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
            const int l = first_lane(rest);
            if (at[l] % sizeof(T) != 0 || at[l] > shared.bytes() || at[l] + sizeof(T) > shared.bytes()) {
                fail(warp, in, l, "accesses byte " + std::to_string(at[l]) + " of shared memory, outside of its "
                     + std::to_string(shared.bytes()) + " or not aligned");
            }
            shared.atomic(warp, in, {uint32_t(at[l]), sizeof(T), l, sizeof(T)}, turn_of(warp));
        }
        if (warp.block->counters) {
            uint32_t offsets[WARP];
            for (int l = 0; l < WARP; l++) offsets[l] = uint32_t(at[l]);
            count_shared(warp, offsets, sizeof(T), true);
        }
    } else {
        refuse_unwritten(warp, in, at, sizeof(T), access_global(warp, in, at, sizeof(T), sizeof(T)));
        if (warp.block->counters) count_global(warp, at, sizeof(T), true);
    }
    const T* const b = lanes<T>(warp, in->b);
    const T* const c = lanes<T>(warp, in->c);
    T results[WARP];
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        T& place = *reinterpret_cast<T*>(in_shared ? reinterpret_cast<uint64_t>(shared.data()) + at[l] : at[l]);
        std::atomic_ref<T> cell(place);
        T old = cell.load();
        while (!cell.compare_exchange_weak(old, combined<OPERATION>(old, b[l], c[l]))) {
        }
        results[l] = old;
    }
    T* const d = lanes<T>(warp, in->d);
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) d[first_lane(rest)] = results[first_lane(rest)];
    return in + 1;
}

template <Operation OPERATION, class T>
Handler at_space(bool shared, bool wide) {
    return !shared ? atomic<OPERATION, T, false, uint64_t>
           : wide  ? atomic<OPERATION, T, true, uint64_t>
                   : atomic<OPERATION, T, true, uint32_t>;
}

template <class T>
Handler choose(std::string_view operation, bool shared, bool wide) {
    if (operation == "add") return at_space<Operation::ADD, T>(shared, wide);
    if (operation == "exch") return at_space<Operation::EXCH, T>(shared, wide);
    if constexpr (std::is_integral_v<T>) {
        if (operation == "min") return at_space<Operation::MIN, T>(shared, wide);
        if (operation == "max") return at_space<Operation::MAX, T>(shared, wide);
        if (operation == "cas") return at_space<Operation::CAS, T>(shared, wide);
        if constexpr (std::is_unsigned_v<T>) {
            if (operation == "and") return at_space<Operation::AND, T>(shared, wide);
            if (operation == "or") return at_space<Operation::OR, T>(shared, wide);
            if (operation == "xor") return at_space<Operation::XOR, T>(shared, wide);
            if (operation == "inc") return at_space<Operation::INC, T>(shared, wide);
            if (operation == "dec") return at_space<Operation::DEC, T>(shared, wide);
        }
    }
    return nullptr;
}

}  // namespace

// atom[.sem][.scope][.space].op.type d, [a], b[, c]; red has no d.
bool decode_atomic(Decoder& decoder, const Modifiers& parts) {
    const bool returns = parts[0] == "atom";
    if ((!returns && parts[0] != "red") || has(parts, "async") || parts.size() < 3) {
        return false;
    }
    const auto& operands = decoder.statement().operands;
    const std::string_view type = parts.back(), operation = parts[parts.size() - 2];
    const Operand& address = operands.at(returns ? 1 : 0);
    const bool shared = has(parts, "shared") || has(parts, "shared::cta");
    const bool wide = !shared || address.reg < 0 || decoder.width_of(address.reg) == Width::BITS64;
    const Handler run = type == "u32" || type == "b32"   ? choose<uint32_t>(operation, shared, wide)
                        : type == "s32"                  ? choose<int32_t>(operation, shared, wide)
                        : type == "u64" || type == "b64" ? choose<uint64_t>(operation, shared, wide)
                        : type == "s64"                  ? choose<int64_t>(operation, shared, wide)
                        : type == "f32"                  ? choose<float>(operation, shared, wide)
                        : type == "f64"                  ? choose<double>(operation, shared, wide)
                                                         : nullptr;
    if (!run) {
        return false;
    }
    const Width width = type.ends_with("64") ? Width::BITS64 : Width::BITS32;
    int64_t offset;
    const int a = decoder.base(address, wide ? Width::BITS64 : Width::BITS32, offset);
    const int b = decoder.source(operands.at(returns ? 2 : 1), width);
    const int c = operation == "cas" ? decoder.source(operands.at(3), width) : b;
    const int d = returns ? decoder.target(operands[0], width) : decoder.temporary(width);
    decoder.writes_shared(uint32_t(bits_of(width) / 8));
    Draft& draft = decoder.emit(run, Class::ATOMIC, {{d, Draft::D}}, {{a, Draft::A}, {b, Draft::B}, {c, Draft::C}});
    draft.instruction.immediate = offset;
    draft.instruction.site = decoder.new_site();
    return true;
}

}  // namespace ptx
