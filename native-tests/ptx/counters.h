// SPDX-License-Identifier: Apache-2.0
// What a launch did, counted.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace ptx {

// Requests of warps to a memory, and the pieces that they took: for shared memory wavefronts, in each of which every bank gives
// 4 bytes; for global memory sectors of 32 bytes.
struct Requests {
    uint64_t requests = 0, bytes = 0, pieces = 0;
    uint64_t least = 0;  // pieces, if no two lanes met at a bank; sectors, if the bytes lay one beside the other
    void add(const Requests& other);
};

enum class Traffic : uint8_t { LOAD, STORE, ATOMIC, COPY, MATRIX };
constexpr int TRAFFICS = 5;
const char* name_of(Traffic traffic);

// Of a launch, or summed over several.
struct Counters {
    uint64_t blocks = 0, warps = 0;
    // Of warps, by class: fma, alu, mufu, mma.m16n8k16.f32.bf16.bf16.f32, ld.shared, ... see class_of().
    std::map<std::string, uint64_t> instructions;
    uint64_t lane_instructions = 0;  // of active lanes
    // Instructions of the machine code that is to be expected of them, see slots_of().
    uint64_t issue_slots = 0;
    uint64_t operations = 0;                        // in floating point, not on tensor cores; a fused multiply-add is two
    // on tensor cores, by type of the factors and, where there are two, of the sum
    std::map<std::string, uint64_t> multiply_adds;
    std::array<Requests, TRAFFICS> shared, global;  // cp.async writes the one and reads the other
    uint64_t local_bytes = 0;
    uint64_t read_bytes = 0, written_bytes = 0;  // of global memory, each sector once in a launch
    uint64_t branches = 0, divergent_branches = 0;
    uint64_t barriers = 0;  // that warps came to

    // By line of the source, or of the PTX where it names none.
    struct Line {
        uint64_t instructions = 0, pieces = 0, least = 0;
    };
    std::map<std::string, Line> lines;

    void add(const Counters& other);
};

}  // namespace ptx
