// SPDX-License-Identifier: Apache-2.0
// What sm_90 adds: mbarriers, bulk copies and products of warp groups, and what a block and a warp remember of them.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ptx {

struct Warp;
struct Block;
struct Instruction;
struct WgmmaForm;

// An mbarrier object, which lives in shared memory but is opaque there.
struct MBarrier {
    uint32_t offset;
    uint32_t count;    // arrivals that a phase expects
    int64_t pending;   // of the running phase
    int64_t bytes;     // expected and not yet there: tx-count
    uint64_t phase;    // that runs
    uint32_t epoch;    // of the shared memory when it was initialised
    int warp;          // that did it
    bool fenced;       // since: asynchronous copies see it
};

// From global to shared memory, or back.
struct BulkCopy {
    const Instruction* from;
    int warp;
    uint32_t shared;
    uint64_t global;
    uint32_t bytes;
    bool loads;
    uint32_t mbarrier = 0;  // of one that loads
    uint64_t phase = 0;     // in which it completes
    int group = -1;         // of one that stores, once committed
    bool landed = false;
    uint32_t swizzle = 0;       // of a box of a tensor, in bytes
    std::vector<uint8_t> data;  // of it, as it was when the copy began
};

// Of a block.
struct Hopper {
    std::vector<MBarrier> mbarriers;
    std::vector<BulkCopy> copies;
    uint64_t events = 0;  // that a warp may have waited for
};

// Of a warp.
struct WarpGroupPart {
    struct Product {
        const Instruction* from;
        uint64_t a, b;  // descriptors
        bool adds;
        std::array<std::array<uint32_t, 32>, 4> a_registers;
        uint32_t group;
        bool done;
    };
    std::vector<Product> products;                              // that were not waited for
    std::map<uint32_t, std::array<uint32_t, 32>> accumulators;  // by place of the register; that itself holds NaN meanwhile
    std::vector<char> fenced;                                   // registers as they were at the last wgmma.fence
    uint32_t group = 0;                                         // of the next product
    uint32_t issued = 0;
    int bulk_group = 0;                                         // of the next bulk store
    uint64_t events = 0;                                        // of the block, at its last poll that failed
    uint32_t polls = 0;                                         // that failed since, nothing having happened
};

void begin_hopper(Block& block);
// Ends the launch if lanes return with anything in flight.
void leave_hopper(Warp& warp, const Instruction* at);
void end_hopper(Block& block);

}  // namespace ptx
