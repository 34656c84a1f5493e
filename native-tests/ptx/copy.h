// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "warp.h"

namespace ptx {

// Where a warp meets others, some of its copies may arrive.
void land_some_copies(Warp& warp);

}  // namespace ptx
