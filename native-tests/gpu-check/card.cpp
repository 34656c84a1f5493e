// SPDX-License-Identifier: Apache-2.0
#include "card.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace {

void* library;

[[noreturn]] void no_device(const std::string& why) {
    fprintf(stderr, "gpu-check: no CUDA device: %s\n", why.c_str());
    exit(3);
}

// Calls a function of the driver by name, with arguments of the types that its C declaration has.
template <class... Arguments>
int call(const char* name, Arguments... arguments) {
    static std::map<std::string, void*> found;
    void*& function = found[name];
    if (!function && !(function = dlsym(library, name))) {
        no_device(std::string("the driver has no ") + name);
    }
    return reinterpret_cast<int (*)(Arguments...)>(function)(arguments...);
}

}  // namespace

Card& Card::get() {
    static Card card;
    return card;
}

Card::Card() {
    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library) {
        no_device(dlerror());
    }
    int count = 0, version = 0;
    if (const int result = call("cuInit", 0u)) {
        no_device(error(result, "cuInit"));
    }
    check(call("cuDeviceGetCount", &count), "cuDeviceGetCount");
    if (count == 0) {
        no_device("the driver sees none");
    }
    check(call("cuDeviceGet", &device_, 0), "cuDeviceGet");
    char text[256] = "";
    check(call("cuDeviceGetName", text, int(sizeof text), device_), "cuDeviceGetName");
    name_ = text;
    check(call("cuDriverGetVersion", &version), "cuDriverGetVersion");
    driver_ = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
    check(call("cuDeviceTotalMem_v2", &memory_, device_), "cuDeviceTotalMem");
    void* context = nullptr;
    check(call("cuDevicePrimaryCtxRetain", &context, device_), "cuDevicePrimaryCtxRetain");
    check(call("cuCtxSetCurrent", context), "cuCtxSetCurrent");

    const char* images = getenv("FOVEA_IMAGES");
    std::istringstream paths(images ? images : "");
    for (std::string path; std::getline(paths, path, ':');) {
        std::ifstream file(path, std::ios::binary);
        std::vector<char> image(std::istreambuf_iterator<char>(file), {});
        if (image.empty()) {
            fprintf(stderr, "gpu-check: could not read %s\n", path.c_str());
            exit(1);
        }
        image.push_back(0);
        // Fatbins may lie one behind the other; each says its size: magic number, version, bytes of the header, bytes after it.
        for (size_t start = 0; start + 1 < image.size();) {
            constexpr uint32_t FATBIN = 0xBA55ED50;
            uint32_t magic;
            uint16_t header;
            uint64_t size = image.size();
            memcpy(&magic, &image[start], sizeof magic);
            if (magic == FATBIN) {
                memcpy(&header, &image[start + 6], sizeof header);
                memcpy(&size, &image[start + 8], sizeof size);
                size += header;
            }
            void* module = nullptr;
            check(call("cuModuleLoadDataEx", &module, static_cast<const void*>(&image[start]), 0u, static_cast<int*>(nullptr),
                       static_cast<void**>(nullptr)),
                  "loading " + path);
            modules_.push_back(module);
            start += size;
        }
    }
}

std::string Card::architecture() const {
    const int capability = attribute(75) * 10 + attribute(76);
    return "sm_" + std::to_string(capability) + (capability == 90 ? "a" : "");
}

int Card::attribute(int which) const {
    int value = 0;
    check(call("cuDeviceGetAttribute", &value, which, device_), "cuDeviceGetAttribute");
    return value;
}

std::string Card::error(int result, const std::string& what) const {
    const char *name = nullptr, *text = nullptr;
    call("cuGetErrorName", result, &name);
    call("cuGetErrorString", result, &text);
    return what + ": " + (name ? name : std::to_string(result)) + (text ? std::string(", ") + text : "");
}

void Card::check(int result, const std::string& what) const {
    if (result != 0) {  // the device is lost, or this program is wrong: what comes after would not count
        fprintf(stderr, "gpu-check: %s\n", error(result, what).c_str());
        exit(1);
    }
}

void* Card::function(const std::string& kernel) {
    const auto found = functions_.find(kernel);
    if (found != functions_.end()) {
        return found->second;
    }
    void* function = nullptr;
    for (void* module : modules_) {
        if (!function && call("cuModuleGetFunction", &function, module, kernel.c_str()) != 0) {
            function = nullptr;
        }
    }
    return functions_[kernel] = function;
}

std::string Card::launch(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared, const void* params) {
    void* const handle = function(kernel);
    if (!handle) {
        return "there is no kernel " + kernel + " in the images";
    }
    constexpr int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
    if (shared > 48 * 1024) {
        if (const int result = call("cuFuncSetAttribute", handle, MAX_DYNAMIC_SHARED_SIZE_BYTES, int(shared))) {
            return error(result, kernel + " with " + std::to_string(shared) + " bytes of shared memory");
        }
    }
    void* arguments[] = {const_cast<void*>(params)};
    const int result = call("cuLaunchKernel", handle, blocks, 1u, 1u, threads, 1u, 1u, unsigned(shared),
                            static_cast<void*>(nullptr), static_cast<void**>(arguments), static_cast<void**>(nullptr));
    return result == 0 ? "" : error(result, kernel);
}

std::string Card::synchronize() {
    const int result = call("cuCtxSynchronize");
    return result == 0 ? "" : error(result, "waiting");
}

uintptr_t Card::allocate(size_t bytes) {
    uintptr_t address = 0;
    constexpr int OUT_OF_MEMORY = 2;
    const int result = call("cuMemAlloc_v2", &address, bytes);
    if (result == OUT_OF_MEMORY) {
        return 0;
    }
    check(result, "allocating " + std::to_string(bytes) + " bytes");
    return address;
}

void Card::free(uintptr_t address) { check(call("cuMemFree_v2", address), "cuMemFree"); }

void Card::fill(uintptr_t address, unsigned char byte, size_t bytes) {
    check(call("cuMemsetD8Async", address, byte, bytes, static_cast<void*>(nullptr)), "cuMemsetD8Async");
}

void Card::copy_to(uintptr_t target, const void* source, size_t bytes) {
    check(call("cuMemcpyHtoD_v2", target, source, bytes), "copying to the device");
}

void Card::copy_from(void* target, uintptr_t source, size_t bytes) {
    check(call("cuMemcpyDtoH_v2", target, source, bytes), "copying from the device");
}

void Card::copy_within(uintptr_t target, uintptr_t source, size_t bytes) {
    check(call("cuMemcpyDtoDAsync_v2", target, source, bytes, static_cast<void*>(nullptr)), "cuMemcpyDtoDAsync");
}

void* Card::event() {
    void* event = nullptr;
    check(call("cuEventCreate", &event, 0u), "cuEventCreate");
    return event;
}

void Card::record(void* event) { check(call("cuEventRecord", event, static_cast<void*>(nullptr)), "cuEventRecord"); }

double Card::seconds(void* from, void* to) {
    float milliseconds = 0;
    check(call("cuEventSynchronize", to), "a timed launch");
    check(call("cuEventElapsedTime", &milliseconds, from, to), "cuEventElapsedTime");
    return milliseconds / 1e3;
}
