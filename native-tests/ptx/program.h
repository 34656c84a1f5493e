// SPDX-License-Identifier: Apache-2.0
// A kernel translated: instructions that know the function that runs them and where their operands lie in a warp's registers.
#pragma once
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "machine.h"
#include "semantics/fragments.h"
#include "semantics/lanes.h"
#include "semantics/wgmma.h"
#include "text.h"

namespace ptx {

constexpr uint32_t ALL_LANES = ~0u;

struct Warp;
struct Instruction;

// Runs one instruction for the active lanes of a warp, and gives the next one.
using Handler = const Instruction* (*)(Warp&, const Instruction*);

// A register is 32 lanes side by side, a predicate a mask of 32 bits. An operand is its place, in bytes from the start of the
// warp's registers. Constants and special registers are registers too, that nobody writes.
struct Instruction {
    Handler run;
    uint32_t d = 0, a = 0, b = 0, c = 0;
    union {
        int64_t immediate = 0;
        const Instruction* target;
        const MmaForm* form;
    };
    const uint32_t* more = nullptr;  // operands of those that have many
    Handler guarded = nullptr;       // what the guard lets run
    uint32_t guard = 0;              // place of the predicate, and 1 if it is negated
    uint32_t site = 0;               // its number among those that access memory
};

// How an instruction uses registers that some way through the kernel reads before it sets them, by their numbers among those.
constexpr uint32_t NO_WATCH = ~0u;
struct Watch {
    Handler run;
    bool copies;
    uint32_t guard = NO_WATCH;
    std::vector<uint32_t> reads = {}, sets = {};
};

// What is not needed to run an instruction.
struct Detail {
    std::string_view opcode;
    int line = 0;  // of the .ptx
    int location = -1;
    Class kind = Class::INTEGER;
};

enum class Special : uint8_t {
    TID_X, TID_Y, TID_Z, NTID_X, NTID_Y, NTID_Z, CTAID_X, CTAID_Y, CTAID_Z, NCTAID_X, NCTAID_Y, NCTAID_Z, LANEID, WARPID,
    NWARPID, LANEMASK_EQ, LANEMASK_LE, LANEMASK_LT, LANEMASK_GE, LANEMASK_GT, DYNAMIC_SMEM_SIZE, TOTAL_SMEM_SIZE
};

struct Program {
    const Module* module;
    const Kernel* kernel;
    Body body;
    std::vector<Instruction> instructions;
    std::vector<Detail> details;  // of each
    std::vector<uint32_t> more;
    std::deque<MmaForm> forms;
    std::vector<WgmmaForm> wgmma_forms;
    bool uses_async_proxy = false;
    struct Constant {
        uint32_t place;
        Width width;
        uint64_t bits;
    };
    std::vector<Constant> constants;
    std::vector<std::pair<Special, uint32_t>> specials;
    std::vector<std::pair<uint32_t, Width>> unset;  // registers that some way through the kernel reads before it sets them
    std::vector<Watch> watches;
    std::vector<uint32_t> watch_of;  // by instruction
    uint32_t watched_registers = 0;
    uint32_t register_bytes = 0;                    // of a warp
    size_t static_shared = 0, local_bytes = 0;
    uint32_t sites = 0;
    uint32_t shadow_shift = 2;  // log2 of the smallest access that writes shared memory
    uint32_t dynamic_shared_at = 0;
};

}  // namespace ptx
