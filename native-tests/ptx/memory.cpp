// SPDX-License-Identifier: Apache-2.0
// ld and st.
#include "decode.h"
#include "global_access.h"
#include "integer_types.h"

namespace ptx {

namespace {

// Elements of a vector by lane.
template <class T, int V>
using Values = T[V][WARP];

template <class T, int V>
void load_from(Values<T, V>& values, const char* const (&at)[WARP], bool contiguous) {
    if (contiguous) {
        const char* const first = at[0];
        if constexpr (V == 1) {
            memcpy(values[0], first, sizeof(T) * WARP);
        } else {
            T elements[WARP * V];
            memcpy(elements, first, sizeof elements);
            for (int v = 0; v < V; v++) {
                for (int l = 0; l < WARP; l++) values[v][l] = elements[l * V + v];
            }
        }
    } else {
        for (int l = 0; l < WARP; l++) {
            for (int v = 0; v < V; v++) memcpy(&values[v][l], at[l] + v * int(sizeof(T)), sizeof(T));
        }
    }
}

template <class T, int V>
void store_to(const Values<T, V>& values, char* const (&at)[WARP], bool contiguous, uint32_t mask) {
    if (contiguous) {
        T elements[WARP * V];
        for (int l = 0; l < WARP; l++) {
            for (int v = 0; v < V; v++) elements[l * V + v] = values[v][l];
        }
        memcpy(at[0], elements, sizeof elements);
    } else {
        for (; mask; mask &= mask - 1) {
            const int l = first_lane(mask);
            for (int v = 0; v < V; v++) memcpy(at[l] + v * int(sizeof(T)), &values[v][l], sizeof(T));
        }
    }
}

template <class T, int V>
uint32_t place(const Instruction* in, int v) {
    return V == 1 ? in->d : in->more[v];
}

template <class T, int V>
void to_registers(Warp& warp, const Instruction* in, const Values<T, V>& values) {
    const uint32_t mask = warp.mask;
    for (int v = 0; v < V; v++) {
        Register<T>* const d = lanes<Register<T>>(warp, place<T, V>(in, v));
        if (mask == ALL_LANES) {
            for (int l = 0; l < WARP; l++) d[l] = values[v][l];
        } else {
            for (int l = 0; l < WARP; l++) d[l] = mask >> l & 1 ? Register<T>(values[v][l]) : d[l];
        }
    }
}

template <class T, int V>
void from_registers(Warp& warp, const Instruction* in, Values<T, V>& values) {
    for (int v = 0; v < V; v++) {
        const Register<T>* const d = lanes<Register<T>>(warp, place<T, V>(in, v));
        for (int l = 0; l < WARP; l++) values[v][l] = T(d[l]);
    }
}

// What follows is for the lanes of warp.mask, whose addresses within the space are `at`; others have that of one of them.

template <class T, int V, bool STORES>
void access_global(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], Values<T, V>& values) {
    constexpr uint32_t BYTES = sizeof(T) * V;
    const GlobalAccess access = access_global(warp, in, at, BYTES, BYTES);
    const auto& addresses = reinterpret_cast<char* const(&)[WARP]>(at);
    if (STORES) {
        store_to<T, V>(values, addresses, access.contiguous, warp.mask);
        mark_written(warp, at, BYTES, access);
    } else {
        refuse_unwritten(warp, in, at, BYTES, access);
        load_from<T, V>(values, reinterpret_cast<const char* const(&)[WARP]>(at), access.contiguous);
    }
    if (warp.block->counters) [[unlikely]] count_global(warp, at, BYTES, STORES);
}

[[noreturn]] void refuse_place(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], uint32_t bytes, uint64_t size,
                               const std::string& memory) {
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        const std::string what = "accesses " + std::to_string(bytes) + " bytes at " + std::to_string(int64_t(at[l])) + " of "
            + memory;
        if (at[l] % bytes != 0) fail(warp, in, l, what + ", which is not aligned to " + std::to_string(bytes));
        if (at[l] + bytes > size || at[l] > size) fail(warp, in, l, what + ", which has " + std::to_string(size));
    }
    fail(warp, in, -1, "accesses " + memory);
}

// Whether all lanes lie within `size` and are aligned.
inline bool fits(const uint64_t (&at)[WARP], uint32_t bytes, uint64_t size) {
    uint64_t high = 0, bits = 0;
    for (int l = 0; l < WARP; l++) {
        high = std::max(high, at[l]);
        bits |= at[l];
    }
    return size >= bytes && high <= size - bytes && (bits & (bytes - 1)) == 0;
}

template <class T, int V, bool STORES>
void access_shared(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], Values<T, V>& values) {
    constexpr uint32_t BYTES = sizeof(T) * V;
    SharedMemory& shared = warp.block->shared;
    if (!fits(at, BYTES, shared.bytes())) [[unlikely]] {
        refuse_place(warp, in, at, BYTES, shared.bytes(), "shared memory");
    }
    uint64_t apart = 0;
    for (int l = 0; l < WARP; l++) apart |= at[l] ^ (at[0] + uint64_t(l) * BYTES);
    const bool contiguous = apart == 0;
    const auto check = [&](const Access& access) {
        STORES ? shared.write(warp, in, access, turn_of(warp)) : shared.read(warp, in, access, turn_of(warp));
    };
    char* addresses[WARP];
    for (int l = 0; l < WARP; l++) addresses[l] = reinterpret_cast<char*>(shared.data()) + at[l];
    if (contiguous) {
        check({uint32_t(at[0]), BYTES * WARP, 0, BYTES});
    } else {
        for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
            const int l = first_lane(rest);
            check({uint32_t(at[l]), BYTES, l, BYTES});
        }
    }
    if (STORES) {
        store_to<T, V>(values, addresses, contiguous, warp.mask);
    } else {
        load_from<T, V>(values, reinterpret_cast<const char* const(&)[WARP]>(addresses), contiguous);
    }
    if (warp.block->counters) [[unlikely]] {
        uint32_t offsets[WARP];
        for (int l = 0; l < WARP; l++) offsets[l] = uint32_t(at[l]);
        count_shared(warp, offsets, BYTES, STORES);
    }
}

template <class T, int V, bool STORES>
void access_local(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], Values<T, V>& values) {
    constexpr uint32_t BYTES = sizeof(T) * V;
    const size_t size = warp.block->program->local_bytes;
    if (!fits(at, BYTES, size)) [[unlikely]] {
        refuse_place(warp, in, at, BYTES, size, "local memory");
    }
    char* addresses[WARP];
    for (int l = 0; l < WARP; l++) addresses[l] = warp.local.get() + size_t(l) * size + at[l];
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const int l = first_lane(rest);
        char* const written = addresses[l] + size * WARP;
        if (STORES) {
            memset(written, 1, BYTES);
        } else if (warp.block->options->unwritten && memchr(written, 0, BYTES)) {
            fail(warp, in, l, "reads local memory that was never written, byte " + std::to_string(at[l]));
        }
    }
    if (STORES) {
        store_to<T, V>(values, addresses, false, warp.mask);
    } else {
        load_from<T, V>(values, reinterpret_cast<const char* const(&)[WARP]>(addresses), false);
    }
    if (warp.block->counters) warp.block->counters->local_bytes += BYTES * uint64_t(__builtin_popcount(warp.mask));
}

template <class T, int V>
void load_parameter(Warp& warp, const Instruction* in, const uint64_t (&at)[WARP], Values<T, V>& values) {
    constexpr uint32_t BYTES = sizeof(T) * V;
    const size_t size = warp.block->program->kernel->parameter_bytes;
    if (!fits(at, BYTES, size)) [[unlikely]] {
        refuse_place(warp, in, at, BYTES, size, "the kernel's parameters");
    }
    const char* addresses[WARP];
    for (int l = 0; l < WARP; l++) addresses[l] = warp.block->parameters + at[l];
    load_from<T, V>(values, addresses, false);
}

// Lanes may be in several spaces.
template <class T, int V, bool STORES>
void access_generic(Warp& warp, const Instruction* in, uint64_t (&at)[WARP], Values<T, V>& values) {
    uint32_t shared = 0, local = 0;
    for (int l = 0; l < WARP; l++) {
        shared |= uint32_t(at[l] - SHARED_WINDOW < (uint64_t(1) << 32)) << l;
        local |= uint32_t(at[l] - LOCAL_WINDOW < (uint64_t(1) << 32)) << l;
    }
    const uint32_t all = warp.mask;
    const auto part = [&](uint32_t mask, uint64_t window, auto access) {
        if ((mask & all) == 0) return;
        uint64_t places[WARP];
        for (int l = 0; l < WARP; l++) places[l] = at[l] - window;
        warp.mask = mask & all;
        fill_idle(places, warp.mask);
        if ((mask & all) == all) {
            access(warp, in, places, values);
        } else {
            Values<T, V> own;
            if constexpr (STORES) memcpy(own, values, sizeof own);
            access(warp, in, places, own);
            for (int v = 0; v < V; v++) {
                for (int l = 0; l < WARP; l++) values[v][l] = warp.mask >> l & 1 ? own[v][l] : values[v][l];
            }
        }
        warp.mask = all;
    };
    part(shared, SHARED_WINDOW, access_shared<T, V, STORES>);
    part(local, LOCAL_WINDOW, access_local<T, V, STORES>);
    part(~shared & ~local, 0, access_global<T, V, STORES>);
}

template <Space SPACE, class T, int V, class A, bool STORES>
const Instruction* access(Warp& warp, const Instruction* in) {
    const A* const base = lanes<A>(warp, in->a);
    uint64_t at[WARP];
    Values<T, V> values;
    if constexpr (SPACE == Space::GENERIC && !STORES) memset(values, 0, sizeof values);
    const auto offset = A(in->immediate);
    for (int l = 0; l < WARP; l++) at[l] = A(base[l] + offset);
    if (warp.mask != ALL_LANES) fill_idle(at, warp.mask);
    if (STORES) from_registers<T, V>(warp, in, values);
    if constexpr (SPACE == Space::GLOBAL) access_global<T, V, STORES>(warp, in, at, values);
    if constexpr (SPACE == Space::SHARED) access_shared<T, V, STORES>(warp, in, at, values);
    if constexpr (SPACE == Space::LOCAL) access_local<T, V, STORES>(warp, in, at, values);
    if constexpr (SPACE == Space::GENERIC) access_generic<T, V, STORES>(warp, in, at, values);
    if constexpr (SPACE == Space::PARAM) load_parameter<T, V>(warp, in, at, values);
    if (!STORES) to_registers<T, V>(warp, in, values);
    return in + 1;
}

// ld.param of a known place.
template <class T, int V>
const Instruction* load_constant(Warp& warp, const Instruction* in) {
    Values<T, V> values;
    for (int v = 0; v < V; v++) {
        T value;
        memcpy(&value, warp.block->parameters + in->immediate + v * int(sizeof(T)), sizeof(T));
        std::fill_n(values[v], WARP, value);
    }
    to_registers<T, V>(warp, in, values);
    return in + 1;
}

struct Kind {
    Space space;
    bool stores, wide_address, constant;
};

template <class T, int V>
Handler choose(const Kind& kind) {
    const auto at = [&]<Space SPACE>() {
        return kind.stores ? kind.wide_address ? access<SPACE, T, V, uint64_t, true> : access<SPACE, T, V, uint32_t, true>
                           : kind.wide_address ? access<SPACE, T, V, uint64_t, false> : access<SPACE, T, V, uint32_t, false>;
    };
    switch (kind.space) {
        case Space::SHARED: return at.template operator()<Space::SHARED>();
        case Space::LOCAL: return at.template operator()<Space::LOCAL>();
        case Space::PARAM:
            return kind.stores         ? nullptr
                   : kind.constant     ? load_constant<T, V>
                   : kind.wide_address ? access<Space::PARAM, T, V, uint64_t, false>
                                       : access<Space::PARAM, T, V, uint32_t, false>;
        case Space::GENERIC:
            return kind.stores ? access<Space::GENERIC, T, V, uint64_t, true> : access<Space::GENERIC, T, V, uint64_t, false>;
        default:
            return kind.stores ? access<Space::GLOBAL, T, V, uint64_t, true> : access<Space::GLOBAL, T, V, uint64_t, false>;
    }
}

template <class T>
Handler choose(const Kind& kind, int count) {
    if (count == 1) return choose<T, 1>(kind);
    if (count == 2) return choose<T, 2>(kind);
    if constexpr (sizeof(T) <= 4) {
        if (count == 4) return choose<T, 4>(kind);
    }
    if constexpr (sizeof(T) <= 2) {
        if (count == 8) return choose<T, 8>(kind);
    }
    return nullptr;
}

bool is_hint(std::string_view part) {
    for (const std::string_view hint : {"weak", "volatile", "relaxed", "acquire", "release", "cta", "gpu", "sys", "cluster",
                                        "nc", "ca", "cg", "cs", "lu", "cv", "wb", "wt"}) {
        if (part == hint) return true;
    }
    return part.starts_with("L1::") || part.starts_with("L2::");
}

}  // namespace

bool decode_memory(Decoder& decoder, const Modifiers& parts) {
    const bool loads = parts[0] == "ld" || parts[0] == "ldu", stores = parts[0] == "st";
    if (!loads && !stores) {
        return false;
    }
    Kind kind{Space::GENERIC, stores, true, false};
    int count = 1;
    for (size_t i = 1; i + 1 < parts.size(); i++) {
        const std::string_view part = parts[i];
        if (part == "global") kind.space = Space::GLOBAL;
        else if (part == "shared" || part == "shared::cta") kind.space = Space::SHARED;
        else if (part == "local") kind.space = Space::LOCAL;
        else if (part == "param") kind.space = Space::PARAM;
        else if (part == "const") kind.space = Space::CONST;
        else if (part == "v2") count = 2;
        else if (part == "v4") count = 4;
        else if (part == "v8") count = 8;
        else if (!is_hint(part)) return false;
    }
    const std::string_view type = parts.back();
    const bool is_signed = type[0] == 's';
    const int bits = type.ends_with("64")                          ? 64
                     : type.ends_with("32") || type.ends_with("16x2") ? 32
                     : type.ends_with("16")                        ? 16
                     : type.ends_with("8")                         ? 8
                                                                   : 0;
    const Width width = bits == 64 ? Width::BITS64 : bits == 32 ? Width::BITS32 : Width::BITS16;
    const auto& operands = decoder.statement().operands;
    const Operand& address = operands.at(loads ? 1 : 0);
    const Operand& value = operands.at(loads ? 0 : 1);

    int64_t offset = 0;
    kind.constant = kind.space == Space::PARAM && decoder.is_constant(address, offset);
    if (kind.constant && (offset < 0 || size_t(offset) + size_t(count * bits / 8) > decoder.kernel().parameter_bytes
                          || offset % (count * bits / 8) != 0)) {
        decoder.refuse("outside of the kernel's parameters, or not aligned");
    }
    kind.wide_address = address.reg < 0 || decoder.width_of(address.reg) == Width::BITS64;
    if (!kind.wide_address && kind.space != Space::SHARED && kind.space != Space::LOCAL && kind.space != Space::PARAM) {
        decoder.refuse("an address of 32 bits");
    }
    const Handler run = bits == 64   ? choose<uint64_t>(kind, count)
                        : bits == 32 ? choose<uint32_t>(kind, count)
                        : bits == 16 ? choose<uint16_t>(kind, count)
                        : bits == 8  ? is_signed ? choose<int8_t>(kind, count) : choose<uint8_t>(kind, count)
                                     : nullptr;
    if (!run || count * bits > 128) {
        return false;
    }
    std::vector<Decoder::Argument> uses, registers;
    if (!kind.constant) {
        uses.push_back({decoder.base(address, kind.wide_address ? Width::BITS64 : Width::BITS32, offset), Draft::A});
    }
    const auto add = [&](const Operand& operand, int field) {
        registers.push_back({loads ? decoder.target(operand, width, is_signed) : decoder.source(operand, width), field});
    };
    if (count == 1) {
        add(value.kind == Operand::VECTOR ? value.parts.at(0) : value, Draft::D);
    } else {
        if (value.kind != Operand::VECTOR || int(value.parts.size()) != count) decoder.refuse("a vector of another length");
        for (int i = 0; i < count; i++) add(value.parts[size_t(i)], Draft::MORE + i);
    }
    if (stores) {
        uses.insert(uses.end(), registers.begin(), registers.end());
        registers.clear();
        if (kind.space == Space::SHARED || kind.space == Space::GENERIC) decoder.writes_shared(uint32_t(count * bits / 8));
    }
    Draft& draft = decoder.emit(run, loads ? Class::LOAD : Class::STORE, registers, uses);
    draft.instruction.immediate = offset;
    draft.instruction.site = decoder.new_site();
    return true;
}

}  // namespace ptx
