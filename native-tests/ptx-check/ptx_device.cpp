// SPDX-License-Identifier: Apache-2.0
// The kernel tests on the PTX machine: they run what nvcc made of the kernels, the images in FOVEA_PTX: .ptx files, fatbins, and
// directories of .ptx files, with colons between.
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

namespace {

class Kernels {
  public:
    Kernels() {
        const char* const directories = getenv("FOVEA_PTX");
        std::istringstream list(directories ? directories : "");
        for (std::string directory; std::getline(list, directory, ':');) {
            if (!std::filesystem::is_directory(directory)) {
                load(directory);
                continue;
            }
            for (const auto& entry : std::filesystem::directory_iterator(directory)) {
                if (entry.path().extension() == ".ptx") load(entry.path());
            }
        }
    }
    std::pair<const ptx::Module*, const ptx::Kernel*> find(const std::string& name) const {
        for (const auto& module : modules_) {
            if (const ptx::Kernel* kernel = module->find(name)) return {module.get(), kernel};
        }
        return {nullptr, nullptr};
    }

  private:
    void load(const std::filesystem::path& path) {
        std::ifstream file(path);
        std::stringstream content;
        content << file.rdbuf();
        const std::string image = content.str();
        for (const ptx::ImageText& each : ptx::texts_of(image.data(), image.size())) {
            modules_.push_back(ptx::Module::parse(each.text, path.string()));
        }
    }
    std::vector<std::shared_ptr<const ptx::Module>> modules_;
};

ptx::GlobalMemory& global_memory() {
    static ptx::GlobalMemory memory;
    return memory;
}

ptx::Options& options() {
    static ptx::Options options = ptx::Options::from_environment();
    return options;
}

}  // namespace

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

// In each turn warps, blocks and asynchronous copies have another order. One finds what depends on the order itself: the machine
// sees races.
int turns() { return getenv("FOVEA_DEEP") ? 3 : 1; }

void set_turn(int turn) {
    const ptx::Order orders[] = {ptx::Order::SHUFFLED, ptx::Order::BACKWARD, ptx::Order::FORWARD};
    const ptx::Landing landings[] = {ptx::Landing::RANDOM, ptx::Landing::LATE, ptx::Landing::EARLY};
    options().order = orders[turn];
    options().landing = landings[turn];
}

std::string launch_kernel(const std::string& name, unsigned blocks, unsigned threads, size_t shared, const void* params, size_t bytes) {
    static const Kernels kernels;
    const auto [module, kernel] = kernels.find(name);
    if (!kernel) {
        return "there is no kernel " + name + " in the .ptx of FOVEA_PTX";
    }
    if (kernel->parameter_bytes != bytes) {
        return name + " takes " + std::to_string(kernel->parameter_bytes) + " bytes of parameters, not " + std::to_string(bytes);
    }
    return ptx::launch(*module, *kernel, global_memory(), {blocks, 1, 1}, {threads, 1, 1}, shared, params, options());
}

void take_out_barriers(const std::function<std::string()>&) {}  // the machine sees races
