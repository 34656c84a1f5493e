// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "warp.h"

namespace ptx {

// The object at an offset of shared memory; ends the launch if there is none, or it isn't sure to be there yet.
MBarrier& mbarrier_of(Warp& warp, const Instruction* in, int lane, uint32_t offset);
// If nothing is pending.
void complete_phase(Block& block, MBarrier& object);
// A warp looks at an mbarrier: some of the copies that it tells of may arrive.
void land_some_bulk_copies(Warp& warp, MBarrier& object);
// Begins a copy to shared memory of which the mbarrier is to be told.
void begin_load(Warp& warp, const Instruction* in, int lane, BulkCopy copy, uint32_t mbarrier);
// Ends the launch if global memory from `address` on, in pieces of 16 bytes, may not be read or written.
void check_global(Warp& warp, const Instruction* in, int lane, uint64_t address, uint32_t bytes, bool loads);
// A warp has seen that a phase of an mbarrier is complete: what came with it may be read.
void observe(Block& block, MBarrier& object);

}  // namespace ptx
