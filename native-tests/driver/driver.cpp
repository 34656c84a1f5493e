// libcuda.so.1 over the simulator: the functions of the CUDA driver API that Fovea calls. The other functions that JCuda
// may ask for are weak stubs that return CUDA_ERROR_NOT_SUPPORTED (made by build.sh from jcuda-symbols.txt).
//
// Streams queue their work and run it only when something waits for it, and what a call may read later is really read
// later: a forgotten synchronisation shows. Errors of queued work are reported by the call that waits and, as on a device,
// by every call after it, until the primary context is released.
//
// Modules hold every kernel that is linked in, whatever the image. Three globals of any module steer the simulation:
//   simulator_fault       char[128], written: "FUNCTION K CODE" makes the K-th call of FUNCTION from now return CODE
//   simulator_error       char[512], read: what the simulator found, in words
//   simulator_allocations int64, read: live device and pinned allocations
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "../cuda-on-cpu/simulator.h"
#include "device_memory.h"
#include "results.h"

#define API extern "C" __attribute__((visibility("default"))) Result

namespace {

using driver::DeviceMemory;
using Pointer = uintptr_t;
using Work = std::function<Result()>;

struct Function {
    const sim::Kernel* kernel;
    size_t dynamic_limit = 48 * 1024;  // more must be asked for by cuFuncSetAttribute
};

struct Module {
    std::map<std::string, Function> functions;
};

struct Stream {
    std::vector<Work> queue;
};

size_t memory_from_environment() {
    const char* mebibytes = getenv("FOVEA_SIMULATOR_MIB");
    return size_t(mebibytes ? atoll(mebibytes) : 256) << 20;
}

std::recursive_mutex lock;
DeviceMemory device(memory_from_environment());
DeviceMemory pinned(size_t(1) << 30);
std::set<Stream*> streams;
Stream default_stream;
std::set<Module*> modules;
int context;              // its address stands for the primary context
int context_references;
thread_local void* current_context;
bool initialised;
Result sticky = SUCCESS;

char simulator_fault[128];
char simulator_error[512];
int64_t simulator_allocations;

void report(const std::string& what) { snprintf(simulator_error, sizeof simulator_error, "%s", what.c_str()); }

// The result that the fault plan has for this call.
Result planned(const char* function) {
    char name[64];
    int after, code;
    if (sscanf(simulator_fault, "%63s %d %d", name, &after, &code) != 3 || strcmp(name, function) != 0) {
        return SUCCESS;
    }
    if (after > 1) {
        snprintf(simulator_fault, sizeof simulator_fault, "%s %d %d", name, after - 1, code);
        return SUCCESS;
    }
    simulator_fault[0] = 0;
    if (code >= ILLEGAL_ADDRESS && code < NOT_PERMITTED) {
        sticky = Result(code);
    }
    return Result(code);
}

#define BEGIN_CALL()                                              \
    const std::lock_guard<std::recursive_mutex> guard(lock);      \
    if (!initialised) return NOT_INITIALIZED;                     \
    if (const Result fault = planned(__func__)) return fault

#define BEGIN_CONTEXT_CALL()                                      \
    BEGIN_CALL();                                                 \
    if (!current_context) return INVALID_CONTEXT;                 \
    if (sticky) return sticky

Result run(Stream& stream) {
    std::vector<Work> queue;
    queue.swap(stream.queue);
    for (const Work& work : queue) {
        if (sticky == SUCCESS) {
            sticky = work();
        }
    }
    return sticky;
}

Result run_all() {
    run(default_stream);
    for (Stream* stream : streams) {
        run(*stream);
    }
    return sticky;
}

Stream* stream_of(void* handle) {
    Stream* stream = static_cast<Stream*>(handle);
    return handle == nullptr ? &default_stream : streams.count(stream) ? stream : nullptr;
}

Result enqueue(void* handle, Work work) {
    Stream* stream = stream_of(handle);
    if (!stream) return INVALID_HANDLE;
    stream->queue.push_back(std::move(work));
    return SUCCESS;
}

void* host(Pointer address) { return reinterpret_cast<void*>(address); }

bool is_global(Pointer address) {
    return host(address) == simulator_fault || host(address) == simulator_error || host(address) == &simulator_allocations;
}

bool valid(Pointer address, size_t bytes) {
    return device.contains(address, bytes) || pinned.contains(address, bytes) || is_global(address);
}

bool is_pinned(const void* memory, size_t bytes) { return pinned.contains(reinterpret_cast<Pointer>(memory), bytes); }

}  // namespace

// ---- device and context

API cuInit(unsigned) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    if (getenv("FOVEA_SIMULATOR_NO_DEVICE")) return NO_DEVICE;
    initialised = true;
    return SUCCESS;
}

API cuDriverGetVersion(int* version) {
    *version = 13000;
    return SUCCESS;
}

API cuDeviceGetCount(int* count) {
    BEGIN_CALL();
    *count = 1;
    return SUCCESS;
}

API cuDeviceGet(int* handle, int ordinal) {
    BEGIN_CALL();
    *handle = 0;
    return ordinal == 0 ? SUCCESS : INVALID_DEVICE;
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
        {75, 8},                     // compute capability, major
        {76, 6},                     // and minor
        {97, int(sim::SHARED_LIMIT)},
    };
    const auto found = values.find(attribute);
    *value = found == values.end() ? 0 : found->second;
    return found == values.end() ? NOT_SUPPORTED : SUCCESS;
}

API cuDevicePrimaryCtxRetain(void** handle, int) {
    BEGIN_CALL();
    context_references++;
    *handle = &context;
    return SUCCESS;
}

API cuDevicePrimaryCtxRelease_v2(int) {
    BEGIN_CALL();
    if (context_references == 0) return INVALID_CONTEXT;
    if (--context_references == 0) {
        run_all();
        device.clear();
        pinned.clear();
        for (Stream* stream : streams) delete stream;
        streams.clear();
        for (Module* module : modules) delete module;
        modules.clear();
        sticky = SUCCESS;
        current_context = nullptr;
    }
    return SUCCESS;
}

API cuCtxSetCurrent(void* handle) {
    BEGIN_CALL();
    current_context = handle;
    return SUCCESS;
}

API cuCtxSynchronize() {
    BEGIN_CONTEXT_CALL();
    return run_all();
}

// ---- modules and launches

API cuModuleLoadDataEx(void** handle, const void* image, unsigned, int*, void**) {
    BEGIN_CONTEXT_CALL();
    // A fatbin as nvcc writes it, or the placeholder of a build without nvcc.
    static const unsigned char FATBIN[] = {0x50, 0xED, 0x55, 0xBA};
    if (memcmp(image, FATBIN, 4) != 0 && memcmp(image, "SIMULATED", 9) != 0) return INVALID_IMAGE;
    Module* module = new Module;
    modules.insert(module);
    *handle = module;
    return SUCCESS;
}

API cuModuleUnload(void* handle) {
    BEGIN_CONTEXT_CALL();
    run_all();
    if (modules.erase(static_cast<Module*>(handle)) == 0) return INVALID_HANDLE;
    delete static_cast<Module*>(handle);
    return SUCCESS;
}

API cuModuleGetFunction(void** function, void* handle, const char* name) {
    BEGIN_CONTEXT_CALL();
    const sim::Kernel* kernel = sim::find_kernel(name);
    if (!kernel) return NOT_FOUND;
    *function = &static_cast<Module*>(handle)->functions.emplace(name, Function{kernel}).first->second;
    return SUCCESS;
}

API cuModuleGetGlobal_v2(Pointer* address, size_t* bytes, void*, const char* name) {
    BEGIN_CALL();
    const std::map<std::string, std::pair<void*, size_t>> globals = {
        {"simulator_fault", {simulator_fault, sizeof simulator_fault}},
        {"simulator_error", {simulator_error, sizeof simulator_error}},
        {"simulator_allocations", {&simulator_allocations, sizeof simulator_allocations}},
    };
    const auto found = globals.find(name);
    if (found == globals.end()) return NOT_FOUND;
    *address = reinterpret_cast<Pointer>(found->second.first);
    if (bytes) *bytes = found->second.second;
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
    BEGIN_CONTEXT_CALL();
    const Function& function = *static_cast<Function*>(handle);
    const sim::Dim3 grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
    if (uint64_t(grid_x) * grid_y * grid_z == 0 || grid_x > 0x7FFFFFFF || grid_y > 65535 || grid_z > 65535
        || uint64_t(block_x) * block_y * block_z > sim::MAX_THREADS || dynamic_bytes > function.dynamic_limit || extra
        || !parameters) {
        return INVALID_VALUE;
    }
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

// ---- streams

API cuStreamCreate(void** handle, unsigned) {
    BEGIN_CONTEXT_CALL();
    *handle = *streams.insert(new Stream).first;
    return SUCCESS;
}

API cuStreamSynchronize(void* handle) {
    BEGIN_CONTEXT_CALL();
    Stream* stream = stream_of(handle);
    return stream ? run(*stream) : INVALID_HANDLE;
}

API cuStreamDestroy_v2(void* handle) {
    BEGIN_CONTEXT_CALL();
    Stream* stream = stream_of(handle);
    if (!stream || stream == &default_stream) return INVALID_HANDLE;
    run(*stream);
    streams.erase(stream);
    delete stream;
    return SUCCESS;
}

// ---- memory

API cuMemAlloc_v2(Pointer* address, size_t bytes) {
    BEGIN_CONTEXT_CALL();
    if (bytes == 0) return INVALID_VALUE;
    *address = device.allocate(bytes);
    return *address ? SUCCESS : OUT_OF_MEMORY;
}

API cuMemFree_v2(Pointer address) {
    BEGIN_CONTEXT_CALL();
    run_all();
    return device.free(address) ? SUCCESS : INVALID_VALUE;
}

API cuMemGetInfo_v2(size_t* available, size_t* total) {
    BEGIN_CONTEXT_CALL();
    *available = device.available();
    *total = device.capacity();
    return SUCCESS;
}

API cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
    BEGIN_CONTEXT_CALL();
    *memory = host(pinned.allocate(bytes));
    return *memory ? SUCCESS : OUT_OF_MEMORY;
}

API cuMemFreeHost(void* memory) {
    BEGIN_CONTEXT_CALL();
    run_all();
    return pinned.free(reinterpret_cast<Pointer>(memory)) ? SUCCESS : INVALID_VALUE;
}

API cuMemcpyHtoDAsync_v2(Pointer target, const void* source, size_t bytes, void* stream) {
    BEGIN_CONTEXT_CALL();
    if (!valid(target, bytes)) return INVALID_VALUE;
    if (is_pinned(source, bytes)) {
        return enqueue(stream, [=] { memcpy(host(target), source, bytes); return SUCCESS; });
    }
    const char* from = static_cast<const char*>(source);
    auto staged = std::make_shared<std::vector<char>>(from, from + bytes);
    return enqueue(stream, [=] { memcpy(host(target), staged->data(), bytes); return SUCCESS; });
}

API cuMemcpyDtoHAsync_v2(void* target, Pointer source, size_t bytes, void* stream) {
    BEGIN_CONTEXT_CALL();
    if (!valid(source, bytes)) return INVALID_VALUE;
    const Result queued = enqueue(stream, [=] { memcpy(target, host(source), bytes); return SUCCESS; });
    return queued || is_pinned(target, bytes) ? queued : run(*stream_of(stream));
}

API cuMemcpyDtoDAsync_v2(Pointer target, Pointer source, size_t bytes, void* stream) {
    BEGIN_CONTEXT_CALL();
    if (!valid(target, bytes) || !valid(source, bytes)) return INVALID_VALUE;
    return enqueue(stream, [=] { memmove(host(target), host(source), bytes); return SUCCESS; });
}

API cuMemcpyHtoD_v2(Pointer target, const void* source, size_t bytes) {
    if (is_global(target)) {  // whenever a test wants to
        const std::lock_guard<std::recursive_mutex> guard(lock);
        memcpy(host(target), source, bytes);
        return SUCCESS;
    }
    BEGIN_CONTEXT_CALL();
    if (!valid(target, bytes)) return INVALID_VALUE;
    run_all();
    memcpy(host(target), source, bytes);
    return sticky;
}

API cuMemcpyDtoH_v2(void* target, Pointer source, size_t bytes) {
    if (is_global(source)) {  // after an error too
        const std::lock_guard<std::recursive_mutex> guard(lock);
        simulator_allocations = int64_t(device.count() + pinned.count());
        memcpy(target, host(source), bytes);
        return SUCCESS;
    }
    BEGIN_CONTEXT_CALL();
    if (!valid(source, bytes)) return INVALID_VALUE;
    run_all();
    memcpy(target, host(source), bytes);
    return sticky;
}

API cuMemsetD8Async(Pointer target, unsigned char value, size_t count, void* stream) {
    BEGIN_CONTEXT_CALL();
    if (!valid(target, count)) return INVALID_VALUE;
    return enqueue(stream, [=] { memset(host(target), value, count); return SUCCESS; });
}

API cuMemsetD32Async(Pointer target, unsigned value, size_t count, void* stream) {
    BEGIN_CONTEXT_CALL();
    if (!valid(target, count * 4)) return INVALID_VALUE;
    return enqueue(stream, [=] { std::fill_n(static_cast<unsigned*>(host(target)), count, value); return SUCCESS; });
}

// ---- errors

API cuGetErrorName(Result result, const char** name) {
    *name = result_name(result);
    return *name ? SUCCESS : INVALID_VALUE;
}

API cuGetErrorString(Result result, const char** text) {
    *text = simulator_error[0] && result == sticky ? simulator_error : result_name(result);
    return *text ? SUCCESS : INVALID_VALUE;
}
