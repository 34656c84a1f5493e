// SPDX-License-Identifier: Apache-2.0
#include "counting.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "global_access.h"
#include "module.h"

namespace ptx {

namespace {

constexpr uint64_t SECTOR = 32;
constexpr unsigned BANKS = 32, BANK_BYTES = 4;

Traffic traffic_of(Class kind, bool stores) {
    switch (kind) {
        case Class::ATOMIC: return Traffic::ATOMIC;
        case Class::COPY: return Traffic::COPY;
        case Class::MATRIX_LOAD: return Traffic::MATRIX;
        default: return stores ? Traffic::STORE : Traffic::LOAD;
    }
}

void count(Counting& counting, std::array<Requests, TRAFFICS>& memory, bool stores, const Requests& requests) {
    memory[size_t(traffic_of(counting.kind, stores))].add(requests);
    counting.current->pieces += requests.pieces;
    counting.current->least += requests.least;
}

std::vector<std::string_view> split(std::string_view opcode) {
    std::vector<std::string_view> parts;
    for (size_t at = 0; at <= opcode.size();) {
        const size_t end = std::min(opcode.find('.', at), opcode.size());
        parts.push_back(opcode.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

template <class... Names>
bool is_one_of(std::string_view part, Names... names) {
    return ((part == names) || ...);
}

bool has(const std::vector<std::string_view>& parts, std::string_view wanted) {
    return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

std::string_view space_of(const std::vector<std::string_view>& parts) {
    for (const std::string_view part : parts) {
        for (const std::string_view space : {"global", "shared", "local", "param", "const"}) {
            if (part.substr(0, part.find(':')) == space) return space;
        }
    }
    return "generic";
}

bool adds_or_multiplies(std::string_view root) { return is_one_of(root, "add", "sub", "mul", "fma", "mad"); }

// The multiply-adds of a warp, and what they are counted as: "bf16", "f16.f32" with the type of the sum.
struct Product {
    uint64_t multiply_adds;
    std::string type, form;
};
Product product_of(std::string_view opcode) {
    const auto parts = split(opcode);
    const bool asynchronous = parts[0] == "wgmma";
    const std::string_view shape = parts.at(asynchronous ? 4 : 3);
    uint64_t m = 0, n = 0, k = 0;
    const size_t n_at = shape.find('n'), k_at = shape.find('k');
    std::from_chars(shape.data() + 1, shape.data() + n_at, m);
    std::from_chars(shape.data() + n_at + 1, shape.data() + k_at, n);
    std::from_chars(shape.data() + k_at + 1, shape.data() + shape.size(), k);
    // mma.sync.aligned.shape.row.col.D.A.B.C; wgmma.mma_async.sync.aligned.shape.D.A.B, of four warps.
    Product product{m * n * k / (asynchronous ? 4 : 1), "", std::string(shape)};
    std::vector<std::string_view> types;
    for (size_t i = asynchronous ? 5 : 4; i < parts.size(); i++) {
        if (!is_one_of(parts[i], "row", "col", "satfinite", "rn", "rz", "rm", "rp")) types.push_back(parts[i]);
    }
    for (const std::string_view type : types) product.form += "." + std::string(type);
    if (types.size() > 1) {
        product.type = (asynchronous ? "wgmma." : "") + std::string(types[1]);
        if (types[1] == "f16") product.type += "." + std::string(types[0]);
    }
    return product;
}

}  // namespace

const char* name_of(Traffic traffic) {
    static const char* const NAMES[TRAFFICS] = {"load", "store", "atomic", "copy", "matrix"};
    return NAMES[size_t(traffic)];
}

void Requests::add(const Requests& other) {
    requests += other.requests;
    bytes += other.bytes;
    pieces += other.pieces;
    least += other.least;
}

void Counters::add(const Counters& other) {
    blocks += other.blocks;
    warps += other.warps;
    for (const auto& [name, count] : other.instructions) instructions[name] += count;
    lane_instructions += other.lane_instructions;
    issue_slots += other.issue_slots;
    operations += other.operations;
    for (const auto& [type, count] : other.multiply_adds) multiply_adds[type] += count;
    for (size_t i = 0; i < TRAFFICS; i++) {
        shared[i].add(other.shared[i]);
        global[i].add(other.global[i]);
    }
    local_bytes += other.local_bytes;
    read_bytes += other.read_bytes;
    written_bytes += other.written_bytes;
    branches += other.branches;
    divergent_branches += other.divergent_branches;
    barriers += other.barriers;
    for (const auto& [place, line] : other.lines) {
        Line& own = lines[place];
        own.instructions += line.instructions;
        own.pieces += line.pieces;
        own.least += line.least;
    }
}

void Footprint::touch(uint64_t address, uint32_t bytes, bool stores) {
    for (uint64_t sector = address / SECTOR; sector <= (address + bytes - 1) / SECTOR; sector++) {
        const uint64_t in_page = sector % (PAGE / SECTOR);
        pages_[sector / (PAGE / SECTOR)][size_t(stores) * 2 + in_page / 64] |= uint64_t(1) << in_page % 64;
    }
}

void Footprint::add(const Footprint& other) {
    for (const auto& [page, bits] : other.pages_) {
        auto& own = pages_[page];
        for (size_t i = 0; i < own.size(); i++) own[i] |= bits[i];
    }
}

uint64_t Footprint::bytes(int first) const {
    uint64_t sectors = 0;
    for (const auto& [page, bits] : pages_)
        sectors += uint64_t(std::popcount(bits[size_t(first)]) + std::popcount(bits[size_t(first) + 1]));
    return sectors * SECTOR;
}

void Counting::add(const Counting& other) {
    Counters::add(other);
    tallies.resize(std::max(tallies.size(), other.tallies.size()));
    for (size_t i = 0; i < other.tallies.size(); i++) {
        tallies[i].warps += other.tallies[i].warps;
        tallies[i].lanes += other.tallies[i].lanes;
        tallies[i].pieces += other.tallies[i].pieces;
        tallies[i].least += other.tallies[i].least;
    }
    footprint.add(other.footprint);
}

Counters Counting::summarize(const Program& program) const {
    Counters all = *this;
    all.read_bytes += footprint.read_bytes();
    all.written_bytes += footprint.written_bytes();
    for (size_t i = 0; i < tallies.size(); i++) {
        const Tally& tally = tallies[i];
        const Detail& detail = program.details[i];
        if (tally.warps == 0) continue;
        all.instructions[class_of(detail)] += tally.warps;
        all.lane_instructions += tally.lanes;
        all.issue_slots += tally.warps * uint64_t(slots_of(detail));
        const auto parts = split(detail.opcode);
        if (detail.kind == Class::MATRIX && (parts[0] == "mma" || has(parts, "mma_async"))) {
            const Product product = product_of(detail.opcode);
            all.multiply_adds[product.type] += tally.warps * product.multiply_adds;
        } else if ((detail.kind == Class::FLOAT || detail.kind == Class::DOUBLE) && adds_or_multiplies(parts[0])) {
            const bool pairs = parts.back().ends_with("x2"), fused = is_one_of(parts[0], "fma", "mad");
            all.operations += tally.lanes * (pairs ? 2 : 1) * (fused ? 2 : 1);
        }
        Counters::Line& line = all.lines[line_of(program, detail)];
        line.instructions += tally.warps;
        line.pieces += tally.pieces;
        line.least += tally.least;
    }
    return all;
}

std::string line_of(const Program& program, const Detail& detail) {
    if (detail.location < 0) return program.module->file() + ":" + std::to_string(detail.line);
    const Location& location = program.body.locations[size_t(detail.location)];
    return program.module->source(location.file) + ":" + std::to_string(location.line);
}

std::string class_of(const Detail& detail) {
    const auto parts = split(detail.opcode);
    const std::string root(parts[0]);
    switch (detail.kind) {
        case Class::FLOAT:
            if (!adds_or_multiplies(root)) return "alu";
            return parts.back().ends_with("x2") ? "fma.x2" : "fma";
        case Class::DOUBLE: return "fma.f64";
        case Class::INTEGER:
            if (is_one_of(root, "div", "rem")) return "division";
            return is_one_of(root, "mul", "mad", "mul24", "mad24", "dp4a", "dp2a") ? "imad" : "alu";
        case Class::SPECIAL: return has(parts, "rn") || has(parts, "full") ? "division" : "mufu";
        case Class::CONVERT: return "convert";
        case Class::MOVE: return "move";
        case Class::CONTROL: return "control";
        case Class::LOAD:
        case Class::STORE:
        case Class::ATOMIC: return root + "." + std::string(space_of(parts));
        case Class::COPY: return has(parts, "bulk") ? "cp.async.bulk" : parts.size() > 4 ? "cp.async" : "cp.async.group";
        case Class::SHUFFLE: return "shuffle";
        case Class::MATRIX_LOAD: return root;
        case Class::MATRIX:
            return parts[0] == "mma" || has(parts, "mma_async") ? root + "." + product_of(detail.opcode).form : root;
        case Class::BARRIER: return "barrier";
    }
    return "alu";
}

int slots_of(const Detail& detail) {
    const auto parts = split(detail.opcode);
    const std::string_view root = parts[0];
    const bool wide = parts.back().ends_with("64");
    switch (detail.kind) {
        case Class::MOVE: return 0;
        case Class::LOAD: return space_of(parts) == "param" ? 0 : 1;
        case Class::INTEGER:
            if (is_one_of(root, "div", "rem")) return wide ? 80 : 20;
            if (!wide) return 1;
            return is_one_of(root, "mul", "mad") ? 4 : is_one_of(root, "popc", "clz", "mov") ? 3 : 2;
        case Class::SPECIAL:
            if (has(parts, "rn")) return 8;
            if (has(parts, "full")) return 3;
            // Without .ftz denormal arguments are scaled, and results back.
            return has(parts, "ftz") || root == "tanh" ? 1 : 3;
        default: return 1;
    }
}

void count_global(Warp& warp, const uint64_t (&at)[WARP], uint32_t bytes, bool stores) {
    Counting& counting = *warp.block->counters;
    uint64_t sectors[WARP * 2];
    size_t count_of = 0;
    Requests requests{.requests = 1};
    uint64_t low[WARP];
    size_t lanes_of = 0;
    for (uint32_t rest = warp.mask; rest; rest &= rest - 1) {
        const uint64_t address = at[first_lane(rest)];
        low[lanes_of++] = address;
        for (uint64_t sector = address / SECTOR; sector <= (address + bytes - 1) / SECTOR; sector++)
            sectors[count_of++] = sector;
        counting.footprint.touch(address, bytes, stores);
    }
    std::sort(sectors, sectors + count_of);
    std::sort(low, low + lanes_of);
    const auto distinct = uint64_t(std::unique(low, low + lanes_of) - low);
    requests.bytes = uint64_t(lanes_of) * bytes;
    requests.pieces = uint64_t(std::unique(sectors, sectors + count_of) - sectors);
    requests.least = (distinct * bytes + SECTOR - 1) / SECTOR;
    count(counting, counting.global, stores, requests);
}

// Wide accesses are done by half or quarter warps. Atomics on the same word wait for one another.
void count_shared(Warp& warp, const uint32_t (&at)[WARP], uint32_t bytes, bool stores) {
    Counting& counting = *warp.block->counters;
    const int together = bytes <= 4 ? WARP : bytes == 8 ? WARP / 2 : WARP / 4;
    Requests requests{.requests = 1, .bytes = uint64_t(__builtin_popcount(warp.mask)) * bytes};
    for (int first = 0; first < WARP; first += together) {
        uint32_t words[BANKS];
        size_t count_of = 0;
        for (int l = first; l < first + together; l++) {
            for (uint32_t b = 0; warp.mask >> l & 1 && b < bytes; b += BANK_BYTES) words[count_of++] = (at[l] + b) / BANK_BYTES;
        }
        if (count_of == 0) continue;
        if (counting.kind != Class::ATOMIC) {
            std::sort(words, words + count_of);
            count_of = size_t(std::unique(words, words + count_of) - words);
        }
        unsigned banks[BANKS] = {}, most = 0;
        for (size_t i = 0; i < count_of; i++) most = std::max(most, ++banks[words[i] % BANKS]);
        requests.pieces += most;
        requests.least += 1;
    }
    count(counting, counting.shared, stores, requests);
}

}  // namespace ptx
