// SPDX-License-Identifier: Apache-2.0
// Modules and kernel launches. The PTX machine runs a module's PTX; otherwise every module holds the kernels that are linked
// in, whatever its image.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "../cuda-on-cpu/tensor_cores.h"
#include "../ptx/fatbin.h"
#include "../ptx/machine.h"
#include "../ptx/profile.h"
#include "driver.h"

using namespace driver;

namespace {

struct Extents {
    unsigned x, y, z;
};

struct Function {
    std::string name;
    struct Parameter {
        size_t offset, bytes;
    };
    std::vector<Parameter> parameters;
    std::function<std::string(Extents grid, Extents block, size_t dynamic_bytes, const void* parameters)> launch;
    size_t dynamic_limit = 48 * 1024;  // more must be asked for by cuFuncSetAttribute
};

using PtxModule = std::shared_ptr<const ptx::Module>;

struct Module {
    PtxModule ptx;
    std::map<std::string, Function> functions;
};

std::set<Module*> modules;

// The image's PTX for the newest architecture. A process opens its backend many times; what was translated then is kept.
PtxModule load_ptx(const void* image) {
    static std::map<std::string, PtxModule> loaded;
    PtxModule& module = loaded[std::string(static_cast<const char*>(image), ptx::image_bytes(image))];
    if (!module) {
        const std::vector<ptx::ImageText> texts = ptx::texts_of(image, ptx::image_bytes(image));
        const auto newest = std::max_element(texts.begin(), texts.end(),
                                             [](const auto& a, const auto& b) { return a.architecture < b.architecture; });
        if (newest == texts.end()) return nullptr;
        module = ptx::Module::parse(newest->text, "image " + std::to_string(loaded.size()) + ".ptx");
    }
    return module;
}

Function of_source(const sim::Kernel& kernel) {
    return {kernel.name, {{0, kernel.parameter_bytes}},
        [&kernel](Extents grid, Extents block, size_t dynamic_bytes, const void* parameters) {
                try {
                    sim::set_tensor_sums(ptx_options().tensor_sums);
                } catch (const ptx::Error& e) {
                    return std::string(e.what());
                }
                return sim::launch(kernel, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, dynamic_bytes, parameters);
            }};
}

Function of_ptx(const PtxModule& module, const ptx::Kernel& kernel) {
    Function function{kernel.name, {},
                      [module, &kernel](Extents grid, Extents block, size_t dynamic_bytes, const void* parameters) {
                          const ptx::Dim3 blocks{grid.x, grid.y, grid.z}, threads{block.x, block.y, block.z};
                          try {
                              ptx::Profile* const wanted = profile();
                              ptx::Counters counters;
                              std::string wrong = ptx::launch(*module, kernel, ptx_memory, blocks, threads, dynamic_bytes,
                                  parameters,
                                                              ptx_options(), wanted ? &counters : nullptr);
                              if (wanted && wrong.empty()) wanted->add(kernel.name, blocks, threads, dynamic_bytes, counters);
                              return wrong;
                          } catch (const ptx::Error& e) {
                              return std::string(e.what());
                          }
                      }};
    for (const ptx::Kernel::Parameter& parameter : kernel.parameters) {
        function.parameters.push_back({parameter.offset, parameter.bytes});
    }
    return function;
}

// Loads the kernels that are not linked in, which register themselves; what is wrong, if anything.
std::string load_own_kernels() {
    const char* library = getenv("FOVEA_SIMULATOR_KERNELS");
    return !library || dlopen(library, RTLD_NOW) ? "" : dlerror();
}

}  // namespace

const ptx::Options& driver::ptx_options() {
    static const ptx::Options options = ptx::Options::from_environment();
    return options;
}

void driver::clear_modules() {
    for (Module* module : modules) delete module;
    modules.clear();
}

API cuModuleLoadDataEx(void** handle, const void* image, unsigned, int*, void**) {
    BEGIN_UNSAFE_CALL();
    if (ptx::image_bytes(image) == 0) return INVALID_IMAGE;
    PtxModule ptx;
    if (runs_ptx) {
        try {
            ptx = load_ptx(image);
        } catch (const ptx::Error& e) {
            return report(INVALID_PTX, e.what());
        }
        if (!ptx) return report(NO_BINARY_FOR_GPU, "the image has no PTX, which is what the simulator is to run");
    } else {
        static const std::string wrong = load_own_kernels();
        if (!wrong.empty()) return report(INVALID_IMAGE, wrong);
    }
    Module* module = new Module{ptx, {}};
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
    Module& module = *static_cast<Module*>(handle);
    auto found = module.functions.find(name);
    if (found == module.functions.end()) {
        const ptx::Kernel* compiled = module.ptx ? module.ptx->find(name) : nullptr;
        const sim::Kernel* source = module.ptx ? nullptr : sim::find_kernel(name);
        if (!compiled && !source) return NOT_FOUND;
        found = module.functions.emplace(name, compiled ? of_ptx(module.ptx, *compiled) : of_source(*source)).first;
    }
    *function = &found->second;
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
    BEGIN_CONTEXT_CALL(static_cast<Function*>(handle)->name);
    const Function& function = *static_cast<Function*>(handle);
    const Extents grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
    if (uint64_t(grid_x) * grid_y * grid_z == 0 || grid_x > 0x7FFFFFFF || grid_y > 65535 || grid_z > 65535
        || uint64_t(block_x) * block_y * block_z > sim::MAX_THREADS || dynamic_bytes > function.dynamic_limit || extra
        || !parameters) {
        return INVALID_VALUE;
    }
    static const bool no_run = getenv("FOVEA_SIMULATOR_NO_RUN");
    if (no_run) return SUCCESS;
    auto copy = std::make_shared<std::vector<char>>();
    for (size_t i = 0; i < function.parameters.size(); i++) {
        const auto& [offset, bytes] = function.parameters[i];
        copy->resize(offset + bytes);
        memcpy(copy->data() + offset, parameters[i], bytes);
    }
    return enqueue(stream, [launch = function.launch, name = function.name, grid, block, dynamic_bytes, copy] {
        const std::string error = launch(grid, block, dynamic_bytes, copy->data());
        if (!error.empty()) return report(LAUNCH_FAILED, error);
        const std::string damage = device.check_canaries();
        return damage.empty() ? SUCCESS : report(ILLEGAL_ADDRESS, name + " " + damage);
    });
}
