// SPDX-License-Identifier: Apache-2.0
// The kernel tests on the PTX machine: they run what nvcc made of the kernels, the images in FOVEA_PTX: .ptx files, fatbins,
// and directories of .ptx files, with colons between.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "../ptx/fatbin.h"
#include "../ptx/machine.h"
#include "../tests/needed_barriers.h"
#include "../tests/test_device.h"
#include "ptx_files.h"

namespace {

using Modules = std::vector<std::shared_ptr<const ptx::Module>>;

void read_image(const std::filesystem::path& path, Modules& modules) {
    std::ifstream file(path);
    std::stringstream content;
    content << file.rdbuf();
    const std::string image = content.str();
    for (const ptx::ImageText& each : ptx::texts_of(image.data(), image.size())) {
        modules.push_back(ptx::Module::parse(each.text, path.string()));
    }
}

Modules read_files() {
    Modules modules;
    const char* const paths = getenv("FOVEA_PTX");
    std::istringstream list(paths ? paths : "");
    for (std::string path; std::getline(list, path, ':');) {
        if (!std::filesystem::is_directory(path)) {
            read_image(path, modules);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            if (entry.path().extension() == ".ptx") read_image(entry.path(), modules);
        }
    }
    return modules;
}

std::pair<const ptx::Module*, const ptx::Kernel*> find_kernel(const std::string& name) {
    for (const auto& module : ptx_files()) {
        if (const ptx::Kernel* kernel = module->find(name)) return {module.get(), kernel};
    }
    return {nullptr, nullptr};
}

ptx::GlobalMemory& global_memory() {
    static ptx::GlobalMemory memory;
    return memory;
}

ptx::Options& options() {
    static ptx::Options options = [] {
        ptx::Options from = ptx::Options::from_environment();
        from.warp_order |= getenv("FOVEA_SIMULATOR_CHECKS") == nullptr;
        return from;
    }();
    return options;
}

std::set<std::string>& launched() {
    static std::set<std::string> names;
    return names;
}

}  // namespace

const std::set<std::string>& launched_kernels() { return launched(); }

const Modules& ptx_files() {
    static const Modules modules = read_files();
    return modules;
}

struct TestMemory::Blocks {
    std::map<uintptr_t, size_t> bytes;  // by address
};

TestMemory::TestMemory() : blocks_(std::make_unique<Blocks>()) {}
TestMemory::~TestMemory() { clear(); }

uintptr_t TestMemory::allocate(size_t bytes) {
    constexpr size_t ALIGNMENT = 256;  // as the driver's
    void* const memory = std::aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    memset(memory, 0xFF, bytes);
    const auto address = reinterpret_cast<uintptr_t>(memory);
    blocks_->bytes[address] = bytes;
    global_memory().allocate(address, bytes);
    return address;
}

void TestMemory::clear() {
    for (const auto& [address, bytes] : blocks_->bytes) {
        global_memory().free(address);
        std::free(reinterpret_cast<void*>(address));
    }
    blocks_->bytes.clear();
}

// The machine refuses each access outside.
std::string TestMemory::check_canaries() const { return ""; }

void copy_to_device(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        memcpy(target, source, bytes);
        global_memory().written(reinterpret_cast<uintptr_t>(target), bytes);
    }
}

void copy_to_host(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        memcpy(target, source, bytes);
    }
}

// In each turn warps, blocks and asynchronous copies have another order. One finds what depends on the order itself: the
// machine sees races.
int turns() { return getenv("FOVEA_DEEP") ? 3 : 1; }

void set_turn(int turn) {
    const ptx::Order orders[] = {ptx::Order::SHUFFLED, ptx::Order::BACKWARD, ptx::Order::FORWARD};
    const ptx::Landing landings[] = {ptx::Landing::RANDOM, ptx::Landing::LATE, ptx::Landing::EARLY};
    options().order = orders[turn];
    options().landing = landings[turn];
}

std::string launch_kernel(const std::string& name, unsigned blocks, unsigned threads, size_t shared, const void* params,
                          size_t bytes) {
    const auto [module, kernel] = find_kernel(name);
    if (!kernel) {
        return "there is no kernel " + name + " in the .ptx of FOVEA_PTX";
    }
    if (kernel->parameter_bytes != bytes) {
        return name + " takes " + std::to_string(kernel->parameter_bytes) + " bytes of parameters, not "
            + std::to_string(bytes);
    }
    launched().insert(name);
    return ptx::launch(*module, *kernel, global_memory(), {blocks, 1, 1}, {threads, 1, 1}, shared, params, options());
}

void take_out_barriers(const std::function<std::string()>&) {}  // the machine sees races
