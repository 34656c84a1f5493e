// SPDX-License-Identifier: Apache-2.0
// Under ThreadSanitizer every barrier of every tested kernel is taken out once: the race must be found. A barrier that
// nothing misses in any test is superfluous, or the tests are too small for it.
#pragma once
#include <functional>
#include <string>

#include "../cuda-on-cpu/simulator.h"

// Takes out, one by one, the barriers that the last launch came to and that nothing has missed yet. `launch` repeats it.
void take_out_barriers(const std::function<std::string()>& launch);
