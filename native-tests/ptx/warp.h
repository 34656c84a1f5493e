// SPDX-License-Identifier: Apache-2.0
// What runs: a block of warps, one after another on one thread of the host.
#pragma once
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "counting.h"
#include "hopper.h"
#include "program.h"
#include "shared_memory.h"

namespace ptx {

struct Block;

// Lanes of a warp that are at the same instruction.
struct Group {
    const Instruction* at;
    uint32_t mask;
    enum State : uint8_t { READY, COLLECTIVE, BARRIER } state;  // waiting for other lanes, or for other warps
};

// One cp.async of a warp, until the last of its lanes has waited for it.
struct Copy {
    const Instruction* from;
    uint32_t lanes;   // that have not waited for it
    uint32_t landed;  // of these
    uint32_t width;
    std::array<uint32_t, WARP> target;  // in shared memory
    std::array<uint64_t, WARP> source;
    std::array<uint32_t, WARP> bytes, group;
};

struct Warp {
    char* registers;
    uint32_t mask;             // the lanes that run
    const Instruction* limit;  // the first instruction at which other lanes are ready; all that run are before it
    uint32_t alive;            // lanes that exist and have not returned
    uint32_t existing;
    int index;                 // in the block
    uint32_t fuel;             // branches until the warp's turn ends
    Block* block;
    std::vector<Group> groups;  // all but the running one
    int barrier = -1;           // at which the warp waits
    bool passed_barrier = false;
    uint32_t syncs = 0;  // bar.warp.sync that it has passed, at most 2^26 in a launch
    std::vector<Copy> copies;
    std::array<uint32_t, WARP> copy_group;  // of the next copy, by lane
    std::unique_ptr<char[]> local;          // bytes of each lane, and behind them whether each was written
    std::vector<uint32_t> set;              // of each register that is watched, the lanes that have set it
    WarpGroupPart part;                     // of a warp group, on Hopper
    bool finished() const { return alive == 0; }
};

inline Turn turn_of(const Warp& warp) { return {uint32_t(warp.index), warp.syncs}; }

// The lanes of a register.
template <class T>
T* lanes(Warp& warp, uint32_t place) {
    return reinterpret_cast<T*>(warp.registers + place);
}
inline uint32_t& predicate(Warp& warp, uint32_t place) { return *reinterpret_cast<uint32_t*>(warp.registers + place); }
inline void set_predicate(Warp& warp, uint32_t place, uint32_t value) {
    uint32_t& old = predicate(warp, place);
    old = (old & ~warp.mask) | (value & warp.mask);
}

// A handler gives this instead of an instruction when the group that ran waits or is at its end.
inline const Instruction* const NO_INSTRUCTION = reinterpret_cast<const Instruction*>(~uintptr_t(0));

struct NamedBarrier {
    unsigned threads = 0;   // that came
    unsigned expected = 0;  // 0: all of the block
    int reduced_or = 0, reduced_and = 1, reduced_count = 0;
    int result_or = 0, result_and = 0, result_count = 0;

};

constexpr int BARRIERS = 16;

struct Block {
    const Program* program;
    const Options* options;
    GlobalMemory* memory;
    const GlobalMemory* globals;  // the module's
    Counting* counters;     // null if nobody wants them
    Dim3 grid, extent, index;
    const char* parameters;
    SharedMemory shared;
    std::vector<Warp> warps;
    std::array<NamedBarrier, BARRIERS> barriers;
    Hopper hopper;
    std::vector<const GlobalMemory::Region*> regions;  // in which each instruction last accessed memory
    std::minstd_rand random;
    bool switching;  // warps change at random points too
    bool first;      // this block is the first of the launch here
    uint64_t seed;   // of approximations
    std::vector<unsigned> turns;
    std::unique_ptr<char, decltype(&std::free)> register_file{nullptr, &std::free};
    size_t register_capacity = 0;
};

// Ends the launch. A negative lane: the first active one.
[[noreturn]] void fail(const Warp& warp, const Instruction* at, int lane, const std::string& what);
inline int first_lane(uint32_t mask) { return __builtin_ctz(mask); }

// Parks the running group at an instruction that more lanes have to come to; gives what runs next.
const Instruction* wait_for_lanes(Warp& warp, const Instruction* at);
// `lanes` that are running go to `at`, the others go on at `next`.
const Instruction* diverge(Warp& warp, uint32_t lanes, const Instruction* at, const Instruction* next);
// What of the warp is ready and first; NO_INSTRUCTION if nothing is.
const Instruction* next_group(Warp& warp);

// Whether all lanes that are alive run: what is .aligned demands it.
inline bool all_here(const Warp& warp) { return warp.mask == warp.alive; }

std::string place_of(const Program& program, const Instruction* at);

}  // namespace ptx
