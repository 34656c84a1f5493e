// SPDX-License-Identifier: Apache-2.0
// The simulated device, its primary context and the names of errors.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "../ptx/machine.h"
#include "driver.h"

using namespace driver;

namespace {

long long from_environment(const char* name, long long otherwise) {
    const char* value = getenv(name);
    return value ? atoll(value) : otherwise;
}

const int devices = int(from_environment("FOVEA_SIMULATOR_DEVICES", 1));
const int compute_capability = int(from_environment("FOVEA_SIMULATOR_COMPUTE", 86));  // times ten
const int driver_version = int(from_environment("FOVEA_SIMULATOR_DRIVER_VERSION", 13000));
int context;  // its address stands for the primary context
int context_references;

}  // namespace

namespace driver {

std::recursive_mutex lock;
ptx::GlobalMemory ptx_memory;  // outlives the memory that tells it what is freed
DeviceMemory device(size_t(from_environment("FOVEA_SIMULATOR_MIB", 256)) << 20);
DeviceMemory pinned(size_t(1) << 30);
thread_local void* current_context;
bool initialised;
bool runs_ptx;
Result sticky = SUCCESS;

}  // namespace driver

API cuInit(unsigned) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    if (const Result fault = planned(__func__, "")) return fault;
    if (devices == 0) return NO_DEVICE;
    initialised = true;
    return SUCCESS;
}

API cuDriverGetVersion(int* version) {
    if (const Result fault = planned(__func__, "")) return fault;
    *version = driver_version;
    return SUCCESS;
}

API cuDeviceGetCount(int* count) {
    BEGIN_CALL();
    *count = devices;
    return SUCCESS;
}

API cuDeviceGet(int* handle, int ordinal) {
    BEGIN_CALL();
    *handle = ordinal;
    return ordinal >= 0 && ordinal < devices ? SUCCESS : INVALID_DEVICE;
}

API cuDeviceGetName(char* name, int length, int) {
    BEGIN_CALL();
    snprintf(name, size_t(length), "simulated on the CPU");
    return SUCCESS;
}

API cuDeviceTotalMem_v2(size_t* bytes, int) {
    BEGIN_CALL();
    *bytes = device.capacity();
    return SUCCESS;
}

API cuDeviceGetAttribute(int* value, int attribute, int) {
    BEGIN_CALL();
    static const std::map<int, int> values = {
        {1, int(sim::MAX_THREADS)},  // threads per block
        {8, 48 * 1024},              // shared memory per block
        {10, 32},                    // warp size
        {16, 8},                     // multiprocessors
        {75, compute_capability / 10},
        {76, compute_capability % 10},
        {97, int(sim::SHARED_LIMIT)},
    };
    const auto found = values.find(attribute);
    *value = found == values.end() ? 0 : found->second;
    return found == values.end() ? NOT_SUPPORTED : SUCCESS;
}

API cuDevicePrimaryCtxRetain(void** handle, int) {
    BEGIN_CALL();
    if (context_references == 0) {
        const std::optional<bool> ptx = wants_ptx();
        if (!ptx) return report(INVALID_VALUE, "the simulator runs kernels from ptx or source (FOVEA_SIMULATOR), nothing else");
        try {
            if (*ptx) ptx_options(), profile();
        } catch (const ptx::Error& e) {
            return report(INVALID_VALUE, e.what());
        }
        runs_ptx = *ptx;
        device.tell(runs_ptx ? &ptx_memory : nullptr);
    }
    context_references++;
    *handle = &context;
    return SUCCESS;
}

// Whatever it returns, the context has one user less.
API cuDevicePrimaryCtxRelease_v2(int) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    const Result fault = initialised ? planned(__func__, "") : NOT_INITIALIZED;
    if (context_references == 0) return INVALID_CONTEXT;
    if (--context_references == 0) {
        run_all();
        device.clear();
        pinned.clear();
        clear_streams();
        clear_graphs();
        clear_events();
        clear_modules();
        explain_no_more();
        sticky = SUCCESS;
        current_context = nullptr;
    }
    return fault;
}

API cuCtxSetCurrent(void* handle) {
    BEGIN_CALL();
    current_context = handle;
    return SUCCESS;
}

API cuCtxSynchronize() {
    BEGIN_CONTEXT_CALL();
    if (const Result refused = refuse_while_any_captures()) return refused;
    return run_all();
}

API cuGetErrorName(Result result, const char** name) {
    *name = result_name(result);
    return *name ? SUCCESS : INVALID_VALUE;
}

API cuGetErrorString(Result result, const char** text) {
    const char* found = explanation(result);
    *text = found ? found : result_name(result);
    return *text ? SUCCESS : INVALID_VALUE;
}
