// SPDX-License-Identifier: Apache-2.0
// Entry points of the simulated driver for the stand-ins for cuBLAS and NCCL, which are libraries of their own.
#pragma once
#include <cstddef>
#include <cstdint>

#include "results.h"

#pragma GCC visibility push(default)
extern "C" {

// Queues work(arguments) of a library on a stream, or records it; the bytes of the arguments are copied now, as in a launch.
Result simulator_enqueue(void* stream, const char* library, void (*work)(const void* arguments), const void* arguments,
                         size_t bytes);

// Refuses what may not be done while this stream captures, and invalidates the capture; SUCCESS if it does not capture.
Result simulator_refuse_while_capturing(void* stream);

// The result that the fault plan has for this call, 0 for none.
int simulator_planned(const char* function);

// Whether [address, address + bytes) lies in one allocation.
bool simulator_is_allocated(uintptr_t address, size_t bytes);

// Device memory, 0 if there is no room. Not calls of the driver: they neither fail on demand nor are traced.
uintptr_t simulator_allocate(size_t bytes);
void simulator_free(uintptr_t address);

// Says that a library has written these bytes of the device.
void simulator_written(const void* address, size_t bytes);

}
#pragma GCC visibility pop
