// SPDX-License-Identifier: Apache-2.0
// wgmma: products of the four warps of a warp group, each of which makes 16 rows. They are done at once, when they are waited
// for, or at some time between; until then accumulators hold NaN.
#include "semantics/wgmma.h"

#include "decode.h"
#include "semantics/mma.h"

namespace ptx {

namespace {

constexpr uint32_t IN_FLIGHT_BITS = ~0u;  // a NaN of every type
constexpr int WARPS = 4;                  // of a warp group
using Lanes = std::array<uint32_t, WARP>;

bool all_of_group(Warp& warp, const Instruction* in) {
    if (warp.block->warps.size() % WARPS != 0)
        fail(warp, in, -1, "needs warp groups of 128 threads, and the block has " + std::to_string(warp.block->warps.size())
            + " warps");
    if (warp.mask == ALL_LANES) return true;
    if (warp.alive != ALL_LANES)
        fail(warp, in, -1, "needs all 32 lanes of the warp, and lane " + std::to_string(first_lane(~warp.alive))
            + " has returned");
    return false;
}

// An element in shared memory, looked at for the first lane.
uint32_t element(Warp& warp, const Instruction* in, const MatrixDescriptor& matrix, int row, int k, bool transposed) {
    const uint32_t at = matrix.address(row, k, transposed);
    SharedMemory& shared = warp.block->shared;
    if (at + 2 > shared.bytes()) {
        fail(warp, in, -1, "has element (" + std::to_string(row) + ", " + std::to_string(k) + ") of a matrix at byte "
            + std::to_string(at) + " of shared memory, which has " + std::to_string(shared.bytes()));
    }
    shared.read_async(warp, in, {at, 2, first_lane(warp.mask), 2, true}, turn_of(warp));
    uint16_t bits;
    memcpy(&bits, shared.data() + at, sizeof bits);
    return bits;
}

// The fragment of `elements` 16-bit numbers of each lane, two in a register.
template <class Position, class Element>
void gather(int elements, bool negated, uint32_t (*registers)[WARP], Position position, Element element) {
    constexpr uint32_t SIGN = 0x8000;
    for (int i = 0; i < elements; i++) {
        for (int l = 0; l < WARP; l++) {
            const auto [row, column] = position(l, i);
            const uint32_t bits = element(row, column) ^ (negated ? SIGN : 0);
            registers[i / 2][l] = i % 2 ? (registers[i / 2][l] & 0xFFFF) | bits << 16 : bits;
        }
    }
}

void run(Warp& warp, WarpGroupPart::Product& product) {
    if (product.done) return;
    product.done = true;
    const Instruction* const in = product.from;
    const WgmmaForm& form = warp.block->program->wgmma_forms[size_t(in->immediate)];
    const MmaForm part = form.part();
    const MatrixDescriptor a_matrix = MatrixDescriptor::decode(product.a), b_matrix = MatrixDescriptor::decode(product.b);
    const uint32_t all = warp.mask;
    warp.mask = ALL_LANES;
    uint32_t a[4][WARP], b[2][WARP], c[4][WARP], d[4][WARP];
    // What is in shared memory is read once, not once for each lane.
    uint16_t tile[16][16];
    if (form.a_in_registers) {
        for (size_t i = 0; i < 4; i++) {
            for (size_t l = 0; l < WARP; l++) a[i][l] = product.a_registers[i][l] ^ (form.a_negated ? 0x80008000 : 0);
        }
    } else {
        for (int row = 0; row < 16; row++) {
            for (int k = 0; k < 16; k++)
                tile[row][k] = uint16_t(element(warp, in, a_matrix, 16 * (warp.index % WARPS) + row, k, form.a_transposed));
        }
        gather(8, form.a_negated, a, [&](int l, int i) { return a_position(part, l, i); },
            [&](int row, int k) { return tile[row][k]; });
    }
    const int registers = part.d_registers();
    for (int n = 0; n < form.parts(); n++) {
        for (int k = 0; k < 16; k++) {
            for (int column = 0; column < 8; column++)
                tile[k][column] = uint16_t(element(warp, in, b_matrix, 8 * n + column, k, form.b_transposed));
        }
        gather(4, form.b_negated, b, [&](int l, int i) { return b_position(part, l, i); },
            [&](int k, int column) { return tile[k][column]; });
        for (int i = 0; i < registers; i++) {
            const Lanes& own = warp.part.accumulators.at(in->more[n * registers + i]);
            for (size_t l = 0; l < WARP; l++) c[i][l] = product.adds ? own[l] : 0;
        }
        mma(part, a, b, c, d, warp.block->options->tensor_sums);
        for (int i = 0; i < registers; i++)
            memcpy(warp.part.accumulators.at(in->more[n * registers + i]).data(), d[i], sizeof d[i]);
    }
    warp.mask = all;
}

bool is_fenced(const Warp& warp, uint32_t place) {
    return memcmp(warp.part.fenced.data() + place, warp.registers + place, sizeof(Lanes)) == 0;
}

// a, b: descriptors; c: whether D is added to. more: the registers of D, then of A.
const Instruction* multiply(Warp& warp, const Instruction* in) {
    if (!all_of_group(warp, in)) return wait_for_lanes(warp, in);
    const WgmmaForm& form = warp.block->program->wgmma_forms[size_t(in->immediate)];
    WarpGroupPart& part = warp.part;
    if (part.fenced.empty()) fail(warp, in, -1, "comes before any wgmma.fence");
    WarpGroupPart::Product product{in, lanes<uint64_t>(warp, in->a)[0], lanes<uint64_t>(warp, in->b)[0],
        (predicate(warp, in->c) & 1) != 0, {}, part.group, false};
    const auto refuse = [&](const char* what) {
        fail(warp, in, -1, std::string("has a register of ") + what + " that was written since the last wgmma.fence");
    };
    for (int i = 0; i < form.d_registers(); i++) {
        const uint32_t place = in->more[i];
        const auto [own, is_new] = part.accumulators.try_emplace(place);
        if (!is_new) continue;
        if (product.adds && !is_fenced(warp, place)) refuse("D");
        memcpy(own->second.data(), warp.registers + place, sizeof(Lanes));
        std::fill_n(lanes<uint32_t>(warp, place), WARP, IN_FLIGHT_BITS);
    }
    for (int i = 0; form.a_in_registers && i < 4; i++) {
        const uint32_t place = in->more[form.d_registers() + i];
        if (!is_fenced(warp, place)) refuse("A");
        memcpy(product.a_registers[size_t(i)].data(), warp.registers + place, sizeof(Lanes));
    }
    for (const auto& [place, name] : {std::pair{in->a, "A"}, std::pair{in->b, "B"}}) {
        if (form.a_in_registers && place == in->a) continue;
        const uint64_t* const all = lanes<uint64_t>(warp, place);
        if (std::count(all, all + WARP, all[0]) != WARP)
            fail(warp, in, -1, std::string("has descriptors of ") + name + " that are not the same in all lanes");
        if (MatrixDescriptor::decode(all[0]).base_offset != 0)
            fail(warp, in, -1, std::string("has a base offset in the descriptor of ") + name
                + ", which the simulator doesn't know");
    }
    part.products.push_back(product);
    part.issued++;
    const Landing landing = warp.block->options->landing;
    if (landing == Landing::EARLY || (landing == Landing::RANDOM && warp.block->random() % 2)) {
        for (auto& other : part.products) run(warp, other);
    }
    return in + 1;
}

const Instruction* fence(Warp& warp, const Instruction* in) {
    if (!all_of_group(warp, in)) return wait_for_lanes(warp, in);
    warp.part.fenced.assign(warp.registers, warp.registers + warp.block->program->register_bytes);
    return in + 1;
}

const Instruction* commit(Warp& warp, const Instruction* in) {
    if (!all_of_group(warp, in)) return wait_for_lanes(warp, in);
    warp.part.group++;
    return in + 1;
}

const Instruction* wait(Warp& warp, const Instruction* in) {
    if (!all_of_group(warp, in)) return wait_for_lanes(warp, in);
    WarpGroupPart& part = warp.part;
    const auto is_over = [&](const WarpGroupPart::Product& product) {
        return product.group + uint64_t(in->immediate) < part.group;
    };
    std::vector<uint32_t> in_flight;
    for (auto& product : part.products) {
        if (is_over(product)) {
            run(warp, product);
            continue;
        }
        const int registers = warp.block->program->wgmma_forms[size_t(product.from->immediate)].d_registers();
        in_flight.insert(in_flight.end(), product.from->more, product.from->more + registers);
    }
    std::erase_if(part.products, is_over);
    std::erase_if(part.accumulators, [&](const auto& entry) {
        const auto& [place, values] = entry;
        if (std::find(in_flight.begin(), in_flight.end(), place) != in_flight.end()) return false;
        // The place may have been given to another register if nobody reads the result.
        uint32_t* const own = lanes<uint32_t>(warp, place);
        if (std::count(own, own + WARP, IN_FLIGHT_BITS) == WARP) {
            memcpy(own, values.data(), sizeof values);
            memcpy(part.fenced.data() + place, values.data(), sizeof values);
        }
        return true;
    });
    return in + 1;
}

}  // namespace

bool decode_wgmma(Decoder& decoder, const Modifiers& parts) {
    if (parts[0] != "wgmma" || parts.size() < 2) return false;
    const auto& operands = decoder.statement().operands;
    if (parts[1] == "fence" || parts[1] == "commit_group") {
        decoder.emit(parts[1] == "fence" ? fence : commit, Class::MATRIX, {}, {});
        return true;
    }
    if (parts[1] == "wait_group") {
        decoder.emit(wait, Class::MATRIX, {}, {}).instruction.immediate = operands.at(0).value;
        return true;
    }
    constexpr std::string_view PREFIX = "wgmma.mma_async.sync.aligned.";
    const std::string_view opcode = decoder.statement().opcode;
    std::optional<WgmmaForm> form;
    if (!opcode.starts_with(PREFIX) || !(form = WgmmaForm::parse(opcode.substr(PREFIX.size())))) return false;
    form->a_in_registers = operands.at(1).kind == Operand::VECTOR;
    const size_t flags = form->a_in_registers ? 7 : 8;
    if (operands.size() != flags) decoder.refuse("takes " + std::to_string(flags) + " operands");
    form->a_negated = operands[4].value == -1;
    form->b_negated = operands[5].value == -1;
    form->a_transposed = !form->a_in_registers && operands[6].value == 1;
    form->b_transposed = operands.back().value == 1;
    const auto registers_of = [&](const Operand& operand, size_t count) -> const std::vector<Operand>& {
        if (operand.kind != Operand::VECTOR || operand.parts.size() != count)
            decoder.refuse("takes " + std::to_string(count) + " registers");
        return operand.parts;
    };
    const auto& d = registers_of(operands[0], size_t(form->d_registers()));
    std::vector<Decoder::Argument> sets, uses;
    const int b = decoder.source(operands[2], Width::BITS64), adds = decoder.source(operands[3], Width::PREDICATE);
    int field = Draft::MORE + int(d.size());
    if (form->a_in_registers) {
        for (const Operand& operand : registers_of(operands[1], 4))
            uses.push_back({decoder.source(operand, Width::BITS32), field++});
        uses.push_back({b, Draft::A});
    } else {
        uses.push_back({decoder.source(operands[1], Width::BITS64), Draft::A});
    }
    uses.push_back({b, Draft::B});
    uses.push_back({adds, Draft::C});
    for (size_t i = 0; i < d.size(); i++) {
        const int reg = decoder.target(d[i], Width::BITS32);
        uses.push_back({reg, Draft::MORE + int(i)});
        sets.push_back({reg, Draft::MORE + int(i)});
    }
    decoder.uses_async_proxy();
    const int64_t number = decoder.keep(*form);
    decoder.emit(multiply, Class::MATRIX, sets, uses).instruction.immediate = number;
    return true;
}

}  // namespace ptx
