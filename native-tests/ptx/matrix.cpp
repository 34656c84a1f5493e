// SPDX-License-Identifier: Apache-2.0
// ldmatrix, stmatrix, movmatrix and mma.sync.
#include <optional>

#include "decode.h"
#include "exact_product.h"
#include "global_access.h"
#include "semantics/ldmatrix.h"
#include "semantics/mma.h"

namespace ptx {

namespace {

// All are .aligned: every lane of the warp must come.
bool whole_warp(Warp& warp, const Instruction* in) {
    if (warp.mask == ALL_LANES) return true;
    if (warp.alive != ALL_LANES) {
        fail(warp, in, -1, "needs all 32 lanes of the warp, and lane " + std::to_string(first_lane(~warp.alive))
             + " is none or has returned");
    }
    return false;
}

constexpr uint32_t ROW_BYTES = 16;

// The addresses of the rows of N matrices.
template <int N, class A>
void rows_at(Warp& warp, const Instruction* in, uint32_t (&at)[8 * N]) {
    const A* const base = lanes<A>(warp, in->a);
    const uint32_t size = warp.block->shared.bytes();
    for (int l = 0; l < 8 * N; l++) {
        const uint64_t address = A(base[l] + A(in->immediate));
        at[l] = uint32_t(address);
        if (address % ROW_BYTES != 0 || address + ROW_BYTES > size || address > size) [[unlikely]] {
            fail(warp, in, l, "has a row at byte " + std::to_string(address) + " of shared memory, which has "
                 + std::to_string(size) + " and rows are aligned to 16");
        }
    }
}

// The same as ldmatrix() with .trans: the transposed matrix, as it would lie there.
void transpose(const uint16_t (*rows)[8], uint32_t* d) {
    const auto row = [&](int i) { return _mm_load_si128(reinterpret_cast<const __m128i*>(rows[i])); };
    __m128i pairs[8], fours[8];
    for (int i = 0; i < 4; i++) {
        pairs[i] = _mm_unpacklo_epi16(row(2 * i), row(2 * i + 1));      // columns 0 to 3 of two rows
        pairs[i + 4] = _mm_unpackhi_epi16(row(2 * i), row(2 * i + 1));  // 4 to 7
    }
    for (int i = 0; i < 8; i += 2) {
        fours[i] = _mm_unpacklo_epi32(pairs[i], pairs[i + 1]);
        fours[i + 1] = _mm_unpackhi_epi32(pairs[i], pairs[i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        // Columns 2 i and 2 i + 1 of rows 0 to 3 and of rows 4 to 7.
        const __m128i low = fours[i / 2 * 4 + i % 2], high = fours[i / 2 * 4 + 2 + i % 2];
        _mm_storeu_si128(reinterpret_cast<__m128i*>(d + 8 * i), _mm_unpacklo_epi64(low, high));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(d + 8 * i + 4), _mm_unpackhi_epi64(low, high));
    }
}

template <int N, class A, bool TRANSPOSED>
const Instruction* load_matrix(Warp& warp, const Instruction* in) {
    if (!whole_warp(warp, in)) return wait_for_lanes(warp, in);
    uint32_t at[8 * N];
    rows_at<N, A>(warp, in, at);
    SharedMemory& shared = warp.block->shared;
    alignas(16) uint16_t rows[8 * N][8];
    for (int l = 0; l < 8 * N; l++) {
        shared.read(warp, in, {at[l], ROW_BYTES, l, ROW_BYTES, true}, turn_of(warp));
        memcpy(rows[l], shared.data() + at[l], ROW_BYTES);
    }
    if (warp.block->counters) [[unlikely]] {
        uint32_t all[WARP] = {};
        memcpy(all, at, sizeof at);
        warp.mask = N == 4 ? ALL_LANES : (1u << 8 * N) - 1;
        count_shared(warp, all, ROW_BYTES, false);
        warp.mask = ALL_LANES;
    }
    if constexpr (!TRANSPOSED) {
        // Lane l holds elements 2 (l % 4) and the next of row l / 4: the matrix as it lies there.
        for (int i = 0; i < N; i++) memcpy(lanes<uint32_t>(warp, in->more[i]), rows[8 * i], 128);
    } else {
        for (int i = 0; i < N; i++) transpose(rows + 8 * i, lanes<uint32_t>(warp, in->more[i]));
    }
    return in + 1;
}

template <int N, class A, bool TRANSPOSED>
const Instruction* store_matrix(Warp& warp, const Instruction* in) {
    if (!whole_warp(warp, in)) return wait_for_lanes(warp, in);
    uint32_t at[8 * N], values[N][WARP];
    rows_at<N, A>(warp, in, at);
    SharedMemory& shared = warp.block->shared;
    for (int i = 0; i < N; i++) memcpy(values[i], lanes<uint32_t>(warp, in->more[i]), 128);
    uint16_t rows[8 * N][8];
    stmatrix(N, TRANSPOSED, values, rows);
    for (int l = 0; l < 8 * N; l++) {
        shared.write(warp, in, {at[l], ROW_BYTES, l, ROW_BYTES}, turn_of(warp));
        memcpy(shared.data() + at[l], rows[l], ROW_BYTES);
    }
    return in + 1;
}

const Instruction* move_matrix(Warp& warp, const Instruction* in) {
    if (!whole_warp(warp, in)) return wait_for_lanes(warp, in);
    uint32_t a[1][WARP], d[1][WARP];
    memcpy(a, lanes<uint32_t>(warp, in->a), sizeof a);
    movmatrix(a, d);
    memcpy(lanes<uint32_t>(warp, in->d), d, sizeof d);
    return in + 1;
}

// `more`: the registers of D, A, B, C. T is what they hold.
template <class T>
const Instruction* multiply(Warp& warp, const Instruction* in) {
    if (!whole_warp(warp, in)) return wait_for_lanes(warp, in);
    const MmaForm& form = *in->form;
    T a[8][WARP], b[4][WARP], c[4][WARP], d[4][WARP];
    const uint32_t* at = in->more + form.d_registers();
    const auto take = [&](T(*registers)[WARP], int count) {
        for (int i = 0; i < count; i++) memcpy(registers[i], lanes<T>(warp, *at++), sizeof registers[i]);
    };
    take(a, form.a_registers());
    take(b, form.b_registers());
    take(c, form.c_registers());
    if constexpr (sizeof(T) == 8) {
        mma_f64(form, a, b, c, d);
    } else {
        mma(form, a, b, c, d, warp.block->options->tensor_sums);
    }
    for (int i = 0; i < form.d_registers(); i++) memcpy(lanes<T>(warp, in->more[i]), d[i], sizeof d[i]);
    return in + 1;
}

// The same for the forms that have a faster way.
template <Element TYPE>
const Instruction* multiply_fast(Warp& warp, const Instruction* in) {
    if (warp.mask != ALL_LANES || warp.block->options->tensor_sums != Sums::EXACT) return multiply<uint32_t>(warp, in);
    const auto at = [&](int i) -> const uint32_t* { return lanes<uint32_t>(warp, in->more[i]); };
    uint32_t d[4][WARP];
    multiply_exactly<TYPE>({at(4), at(5), at(6), at(7)}, {at(8), at(9)}, {at(10), at(11), at(12), at(13)}, d);
    for (int i = 0; i < 4; i++) memcpy(lanes<uint32_t>(warp, in->more[i]), d[i], sizeof d[i]);
    return in + 1;
}

Handler multiplier(const MmaForm& form) {
    if (form.a == Element::F64) return multiply<uint64_t>;
    const bool floats = form.m == 16 && form.d == Element::F32 && form.c == Element::F32;
    if (floats && form.a == Element::F16 && form.k == 16) return multiply_fast<Element::F16>;
    if (floats && form.a == Element::BF16 && form.k == 16) return multiply_fast<Element::BF16>;
    if (floats && form.a == Element::TF32 && form.k == 8) return multiply_fast<Element::TF32>;
    return multiply<uint32_t>;
}

template <int N>
Handler loader(bool wide, bool transposed) {
    return wide ? transposed ? load_matrix<N, uint64_t, true> : load_matrix<N, uint64_t, false>
                : transposed ? load_matrix<N, uint32_t, true> : load_matrix<N, uint32_t, false>;
}

template <int N>
Handler storer(bool wide, bool transposed) {
    return wide ? transposed ? store_matrix<N, uint64_t, true> : store_matrix<N, uint64_t, false>
                : transposed ? store_matrix<N, uint32_t, true> : store_matrix<N, uint32_t, false>;
}

// ldmatrix.sync.aligned.m8n8.xN[.trans].shared.b16 {r...}, [a]; stmatrix has them the other way round.
bool decode_load_matrix(Decoder& decoder, const Modifiers& parts) {
    if (!has(parts, "m8n8") || parts.back() != "b16") return false;
    const auto& operands = decoder.statement().operands;
    const bool loads = parts[0] == "ldmatrix", transposed = has(parts, "trans");
    const int count = has(parts, "x4") ? 4 : has(parts, "x2") ? 2 : 1;
    const Operand& address = operands.at(loads ? 1 : 0);
    const Operand& matrices = operands.at(loads ? 0 : 1);
    const bool wide = address.reg >= 0 && decoder.width_of(address.reg) == Width::BITS64;
    int64_t offset;
    std::vector<Decoder::Argument> uses{{decoder.base(address, wide ? Width::BITS64 : Width::BITS32, offset), Draft::A}},
        registers;
    const std::vector<Operand>& parts_of = matrices.kind == Operand::VECTOR ? matrices.parts : std::vector<Operand>{matrices};
    if (int(parts_of.size()) != count) decoder.refuse("takes " + std::to_string(count) + " registers");
    for (int i = 0; i < count; i++) {
        const Operand& operand = parts_of[size_t(i)];
        registers.push_back({loads ? decoder.target(operand, Width::BITS32) : decoder.source(operand, Width::BITS32),
                             Draft::MORE + i});
    }
    if (!loads) {
        uses.insert(uses.end(), registers.begin(), registers.end());
        registers.clear();
        decoder.writes_shared(ROW_BYTES);
    }
    const auto choose = [&]<int N>() { return loads ? loader<N>(wide, transposed) : storer<N>(wide, transposed); };
    const Handler run = count == 4   ? choose.template operator()<4>()
                        : count == 2 ? choose.template operator()<2>()
                                     : choose.template operator()<1>();
    decoder.emit(run, Class::MATRIX_LOAD, registers, uses).instruction.immediate = offset;
    return true;
}

bool decode_mma(Decoder& decoder) {
    constexpr std::string_view PREFIX = "mma.sync.aligned.";
    const std::string_view opcode = decoder.statement().opcode;
    if (!opcode.starts_with(PREFIX)) return false;
    const std::optional<MmaForm> form = MmaForm::parse(opcode.substr(PREFIX.size()));
    if (!form) return false;
    const auto& operands = decoder.statement().operands;
    const Width width = form->a == Element::F64 ? Width::BITS64 : Width::BITS32;
    const int counts[] = {form->d_registers(), form->a_registers(), form->b_registers(), form->c_registers()};
    if (operands.size() != 4) decoder.refuse("takes 4 operands");
    std::vector<Decoder::Argument> uses, sets;
    int field = Draft::MORE + counts[0];
    const auto part = [&](size_t i, int j) -> const Operand& {
        const Operand& operand = operands[i];
        const int have = operand.kind == Operand::VECTOR ? int(operand.parts.size()) : 1;
        if (have != counts[i]) {
            decoder.refuse("operand " + std::to_string(i) + " has " + std::to_string(have) + " registers, not "
                           + std::to_string(counts[i]));
        }
        return operand.kind == Operand::VECTOR ? operand.parts[size_t(j)] : operand;
    };
    for (size_t i = 1; i < 4; i++) {
        for (int j = 0; j < counts[i]; j++) uses.push_back({decoder.source(part(i, j), width), field++});
    }
    for (int j = 0; j < counts[0]; j++) sets.push_back({decoder.target(part(0, j), width), Draft::MORE + j});
    const MmaForm* kept = decoder.keep(*form);
    decoder.emit(multiplier(*form), Class::MATRIX, sets, uses).instruction.form = kept;
    return true;
}

}  // namespace

bool decode_matrix(Decoder& decoder, const Modifiers& parts) {
    if (parts[0] == "ldmatrix" || parts[0] == "stmatrix") return decode_load_matrix(decoder, parts);
    if (parts[0] == "movmatrix") {
        const auto& operands = decoder.statement().operands;
        const int a = decoder.source(operands.at(1), Width::BITS32);
        decoder.emit(move_matrix, Class::SHUFFLE, {{decoder.target(operands[0], Width::BITS32), Draft::D}}, {{a, Draft::A}});
        return true;
    }
    return parts[0] == "mma" && decode_mma(decoder);
}

}  // namespace ptx
