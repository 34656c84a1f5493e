// SPDX-License-Identifier: Apache-2.0
// Modules and kernel launches. A module holds every kernel that is linked in, whatever its image.
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "driver.h"

using namespace driver;

namespace {

struct Function {
    const sim::Kernel* kernel;
    size_t dynamic_limit = 48 * 1024;  // more must be asked for by cuFuncSetAttribute
};

struct Module {
    std::map<std::string, Function> functions;
};

std::set<Module*> modules;

}  // namespace

void driver::clear_modules() {
    for (Module* module : modules) delete module;
    modules.clear();
}

API cuModuleLoadDataEx(void** handle, const void* image, unsigned, int*, void**) {
    BEGIN_UNSAFE_CALL();
    static const unsigned char FATBIN[] = {0x50, 0xED, 0x55, 0xBA};
    const bool is_ptx = strncmp(static_cast<const char*>(image), ".version", 8) == 0;
    if (!is_ptx && memcmp(image, FATBIN, sizeof FATBIN) != 0) return INVALID_IMAGE;
    Module* module = new Module;
    modules.insert(module);
    *handle = module;
    return SUCCESS;
}

API cuModuleUnload(void* handle) {
    BEGIN_UNSAFE_CALL();
    run_all();
    if (modules.erase(static_cast<Module*>(handle)) == 0) return INVALID_HANDLE;
    delete static_cast<Module*>(handle);
    return SUCCESS;
}

API cuModuleGetFunction(void** function, void* handle, const char* name) {
    BEGIN_CONTEXT_CALL(name);
    const sim::Kernel* kernel = sim::find_kernel(name);
    if (!kernel) return NOT_FOUND;
    *function = &static_cast<Module*>(handle)->functions.emplace(name, Function{kernel}).first->second;
    return SUCCESS;
}

// Not part of what can fail or is traced: tests steer the simulation through it.
API cuModuleGetGlobal_v2(Pointer* address, size_t* bytes, void*, const char* name) {
    const Global* found = find_global(name);
    if (!found) return NOT_FOUND;
    *address = reinterpret_cast<Pointer>(found->address);
    if (bytes) *bytes = found->bytes;
    return SUCCESS;
}

API cuFuncSetAttribute(void* handle, int attribute, int value) {
    BEGIN_CONTEXT_CALL();
    constexpr int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
    if (attribute != MAX_DYNAMIC_SHARED_SIZE_BYTES) return NOT_SUPPORTED;
    if (value < 0 || size_t(value) > sim::SHARED_LIMIT) return INVALID_VALUE;
    static_cast<Function*>(handle)->dynamic_limit = size_t(value);
    return SUCCESS;
}

API cuLaunchKernel(void* handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                   unsigned block_z, unsigned dynamic_bytes, void* stream, void** parameters, void** extra) {
    BEGIN_CONTEXT_CALL(static_cast<Function*>(handle)->kernel->name);
    const Function& function = *static_cast<Function*>(handle);
    const sim::Dim3 grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
    if (uint64_t(grid_x) * grid_y * grid_z == 0 || grid_x > 0x7FFFFFFF || grid_y > 65535 || grid_z > 65535
        || uint64_t(block_x) * block_y * block_z > sim::MAX_THREADS || dynamic_bytes > function.dynamic_limit || extra
        || !parameters) {
        return INVALID_VALUE;
    }
    static const bool no_run = getenv("FOVEA_SIMULATOR_NO_RUN");
    if (no_run) return SUCCESS;
    const char* from = static_cast<const char*>(parameters[0]);
    auto copy = std::make_shared<std::vector<char>>(from, from + function.kernel->parameter_bytes);
    return enqueue(stream, [kernel = function.kernel, grid, block, dynamic_bytes, copy] {
        const std::string error = sim::launch(*kernel, grid, block, dynamic_bytes, copy->data());
        if (!error.empty()) {
            report(error);
            return LAUNCH_FAILED;
        }
        const std::string damage = device.check_canaries();
        if (!damage.empty()) {
            report(std::string(kernel->name) + " " + damage);
            return ILLEGAL_ADDRESS;
        }
        return SUCCESS;
    });
}
