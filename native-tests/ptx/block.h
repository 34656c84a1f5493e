// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "warp.h"

namespace ptx {

// Places of the same register in two warps don't fall on the same line of a cache.
constexpr size_t PADDING = 192;

// For a launch: the program, options and extents are set.
void prepare(Block& block, size_t dynamic_shared);
// Throws Error.
void run_block(Block& block);

}  // namespace ptx
