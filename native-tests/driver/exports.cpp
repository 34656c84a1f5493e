// SPDX-License-Identifier: Apache-2.0
// Entry points for the stand-ins for cuBLAS and NCCL, besides those of the driver API.
#include "exports.h"

#include "driver.h"

using namespace driver;

Result simulator_enqueue(void* stream, const char* library, void (*work)(const void*), const void* arguments, size_t bytes) {
    BEGIN_CONTEXT_CALL(library);
    const char* from = static_cast<const char*>(arguments);
    auto copy = std::make_shared<std::vector<char>>(from, from + bytes);
    return enqueue(stream, [library, work, copy] {
        work(copy->data());
        const std::string damage = device.check_canaries();
        if (!damage.empty()) {
            return report(ILLEGAL_ADDRESS, std::string(library) + " " + damage);
        }
        return SUCCESS;
    });
}

Result simulator_refuse_while_capturing(void* handle) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    Stream* stream = stream_of(handle);
    return stream ? refuse_while_capturing(*stream) : INVALID_HANDLE;
}

int simulator_planned(const char* function) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    return planned(function, "");
}

bool simulator_is_allocated(uintptr_t address, size_t bytes) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    return device.contains(address, bytes);
}

uintptr_t simulator_allocate(size_t bytes) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    return device.allocate(bytes);
}

void simulator_free(uintptr_t address) {
    const std::lock_guard<std::recursive_mutex> guard(lock);
    device.free(address);
}

void simulator_written(const void* address, size_t bytes) { device.written(reinterpret_cast<Pointer>(address), bytes); }
