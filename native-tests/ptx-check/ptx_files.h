// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../ptx/machine.h"

// The PTX of the images in FOVEA_PTX, which colons separate.
const std::vector<std::shared_ptr<const ptx::Module>>& ptx_files();

// The names of the kernels that tests have launched.
const std::set<std::string>& launched_kernels();
