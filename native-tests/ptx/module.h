// SPDX-License-Identifier: Apache-2.0
// What a module holds.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "machine.h"
#include "program.h"
#include "text.h"

namespace ptx {

struct Module::State {
    struct Entry {
        Kernel kernel;
        std::unique_ptr<std::once_flag> once;
        mutable std::unique_ptr<const Program> program;
    };

    std::string text, file;
    std::map<int, std::string> sources;  // by number in .file
    std::vector<Variable> variables;
    std::vector<Entry> kernels;
    std::unordered_map<std::string, size_t> by_name;
    mutable GlobalMemory globals;  // the variables in .global and .const
};

}  // namespace ptx
