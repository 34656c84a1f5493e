// SPDX-License-Identifier: Apache-2.0
// Device and pinned memory, copies and fills.
#include <algorithm>
#include <cstring>
#include <memory>

#include "driver.h"

using namespace driver;

namespace {

bool valid(Pointer address, size_t bytes) {
    return device.contains(address, bytes) || pinned.contains(address, bytes) || is_global(address);
}

bool is_pinned(const void* memory, size_t bytes) { return pinned.contains(reinterpret_cast<Pointer>(memory), bytes); }

Result receive(Pointer target, const void* source, size_t bytes) {
    memcpy(host(target), source, bytes);
    device.written(target, bytes);
    return SUCCESS;
}

template <class T>
Result fill(Pointer target, T value, size_t count, void* stream) {
    const size_t bytes = count * sizeof value;
    if (!valid(target, bytes)) return INVALID_VALUE;
    return enqueue(stream, [=] {
        if (!valid(target, bytes)) return ILLEGAL_ADDRESS;
        std::fill_n(static_cast<T*>(host(target)), count, value);
        device.written(target, bytes);
        return SUCCESS;
    });
}

}  // namespace

API cuMemAlloc_v2(Pointer* address, size_t bytes) {
    BEGIN_UNSAFE_CALL(in_bytes(bytes));
    if (bytes == 0) return INVALID_VALUE;
    *address = device.allocate(bytes);
    return *address ? SUCCESS : OUT_OF_MEMORY;
}

API cuMemFree_v2(Pointer address) {
    BEGIN_UNSAFE_CALL();
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
    BEGIN_UNSAFE_CALL(in_bytes(bytes));
    *memory = host(pinned.allocate(bytes));
    return *memory ? SUCCESS : OUT_OF_MEMORY;
}

API cuMemFreeHost(void* memory) {
    BEGIN_UNSAFE_CALL();
    run_all();
    return pinned.free(reinterpret_cast<Pointer>(memory)) ? SUCCESS : INVALID_VALUE;
}

API cuMemcpyHtoDAsync_v2(Pointer target, const void* source, size_t bytes, void* stream) {
    BEGIN_CONTEXT_CALL(in_bytes(bytes));
    if (!valid(target, bytes)) return INVALID_VALUE;
    if (is_pinned(source, bytes)) {
        return enqueue(stream, [=] { return receive(target, source, bytes); });
    }
    // A captured copy would read pageable memory at each launch, long after the caller has gone on.
    if (is_capturing(stream)) return refuse_while_capturing(*stream_of(stream));
    const char* from = static_cast<const char*>(source);
    auto staged = std::make_shared<std::vector<char>>(from, from + bytes);
    return enqueue(stream, [=] { return receive(target, staged->data(), bytes); });
}

API cuMemcpyDtoHAsync_v2(void* target, Pointer source, size_t bytes, void* stream) {
    BEGIN_CONTEXT_CALL(in_bytes(bytes));
    if (!valid(source, bytes)) return INVALID_VALUE;
    if (!is_pinned(target, bytes) && is_capturing(stream)) return refuse_while_capturing(*stream_of(stream));
    const Result queued = enqueue(stream, [=] { memcpy(target, host(source), bytes); return SUCCESS; });
    return queued || is_pinned(target, bytes) ? queued : run(*stream_of(stream));
}

API cuMemcpyDtoDAsync_v2(Pointer target, Pointer source, size_t bytes, void* stream) {
    BEGIN_CONTEXT_CALL(in_bytes(bytes));
    if (!valid(target, bytes) || !valid(source, bytes)) return INVALID_VALUE;
    return enqueue(stream, [=] {
        if (!valid(target, bytes) || !valid(source, bytes)) return ILLEGAL_ADDRESS;  // freed since a graph captured it
        memmove(host(target), host(source), bytes);
        device.copied(target, source, bytes);
        return SUCCESS;
    });
}

API cuMemcpyHtoD_v2(Pointer target, const void* source, size_t bytes) {
    if (is_global(target)) {  // whenever a test wants to
        const std::lock_guard<std::recursive_mutex> guard(lock);
        memcpy(host(target), source, bytes);
        return SUCCESS;
    }
    BEGIN_UNSAFE_CALL(in_bytes(bytes));
    if (!valid(target, bytes)) return INVALID_VALUE;
    run_all();
    receive(target, source, bytes);
    return sticky;
}

API cuMemcpyDtoH_v2(void* target, Pointer source, size_t bytes) {
    if (is_global(source)) {  // after an error too
        const std::lock_guard<std::recursive_mutex> guard(lock);
        count_allocations();
        memcpy(target, host(source), bytes);
        return SUCCESS;
    }
    BEGIN_UNSAFE_CALL(in_bytes(bytes));
    if (!valid(source, bytes)) return INVALID_VALUE;
    run_all();
    memcpy(target, host(source), bytes);
    return sticky;
}

API cuMemsetD8Async(Pointer target, unsigned char value, size_t count, void* stream) {
    BEGIN_CONTEXT_CALL(in_bytes(count));
    return fill(target, value, count, stream);
}

API cuMemsetD16Async(Pointer target, unsigned short value, size_t count, void* stream) {
    BEGIN_CONTEXT_CALL(in_bytes(count * 2));
    return fill(target, value, count, stream);
}

API cuMemsetD32Async(Pointer target, unsigned value, size_t count, void* stream) {
    BEGIN_CONTEXT_CALL(in_bytes(count * 4));
    return fill(target, value, count, stream);
}
