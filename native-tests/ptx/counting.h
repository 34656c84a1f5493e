// SPDX-License-Identifier: Apache-2.0
// Counters while a kernel runs.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "program.h"

namespace ptx {

// Of one instruction.
struct Tally {
    uint64_t warps = 0, lanes = 0;
    uint64_t pieces = 0, least = 0;
};

// Which sectors of global memory were touched.
class Footprint {
  public:
    void touch(uint64_t address, uint32_t bytes, bool stores);
    void add(const Footprint& other);
    uint64_t read_bytes() const { return bytes(0); }
    uint64_t written_bytes() const { return bytes(2); }

  private:
    static constexpr uint64_t PAGE = 4096;
    uint64_t bytes(int first) const;
    std::unordered_map<uint64_t, std::array<uint64_t, 4>> pages_;  // bits of sectors: two words read, two written
};

// Of a thread of the host. The counters of what tallies tell are empty until summarize().
struct Counting : Counters {
    std::vector<Tally> tallies;  // of each instruction
    Footprint footprint;
    Tally* current = nullptr;  // of the instruction that runs
    Class kind = Class::INTEGER;

    void add(const Counting& other);
    Counters summarize(const Program& program) const;
};

// The line that it is counted for.
std::string line_of(const Program& program, const Detail& detail);
// What an instruction is counted as.
std::string class_of(const Detail& detail);
// The instructions of machine code that it becomes, about: none for moves, which ptxas mostly removes, and parameters, which
// are operands of others; more for 64-bit integers, divisions and the like.
int slots_of(const Detail& detail);

}  // namespace ptx
