// Parameters of the kernels in this directory, one by-value struct each; read by ../common/params.awk, which says what a
// field may be. Strides and lengths count elements, not bytes.
#pragma once
#include <cstdint>

#include "rl_layout.h"
