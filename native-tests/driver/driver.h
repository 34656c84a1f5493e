// SPDX-License-Identifier: Apache-2.0
// The state of the simulated driver, its queues, and the beginning of each call.
//
// libcuda.so.1 over the simulator is the functions of the CUDA driver API that Fovea calls: context.cpp, modules.cpp,
// memory.cpp, streams.cpp, graphs.cpp and events.cpp. JCuda binds to a function when it first calls it, so that the others
// need not be there; a call of one ends the process with a symbol lookup error that names it.
//
// Streams queue their work and run it only when something waits for it, and what a call may read later is really read
// later: a forgotten synchronisation shows. Errors of queued work are reported by the call that waits and, as on a device,
// by every call after it, until the primary context is released.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../cuda-on-cpu/simulator.h"
#include "device_memory.h"
#include "results.h"

#define API extern "C" __attribute__((visibility("default"))) Result

namespace ptx {
class Profile;
struct Options;
}

namespace driver {

using Pointer = uintptr_t;
using Work = std::function<Result()>;

// As cuStreamBeginCapture and cuThreadExchangeStreamCaptureMode number them.
enum class CaptureMode { GLOBAL, THREAD_LOCAL, RELAXED };

// The work that a stream records in place of doing it.
struct Capture {
    CaptureMode mode;
    std::thread::id thread;
    bool valid = true;  // a call that may not be recorded ends it, but only cuStreamEndCapture says so
    std::vector<Work> nodes;
};

struct Stream {
    std::vector<Work> queue;
    std::unique_ptr<Capture> capture;
};

// context.cpp
extern std::recursive_mutex lock;
extern DeviceMemory device;
extern DeviceMemory pinned;
extern ptx::GlobalMemory ptx_memory;
extern thread_local void* current_context;
extern bool initialised;
extern bool runs_ptx;  // kernels of this primary context, else what g++ compiled of them
extern Result sticky;  // the error that the context can't recover from

// control.cpp
struct Global {
    void* address;
    size_t bytes;
};
// The global of this name that steers the simulation; null if there is none.
const Global* find_global(const std::string& name);
bool is_global(Pointer address);
void count_allocations();
// Says in words what the simulator found, for cuGetErrorString of this result; gives it back.
Result report(Result result, const std::string& what);
const char* explanation(Result result);  // null if there is none
void explain_no_more();
// Whether kernels are to be run from their PTX, as simulator_kernels says; none if it says neither of its two words.
std::optional<bool> wants_ptx();
ptx::Profile* profile();  // null if nobody wants one; throws ptx::Error if its file can't be written
// Writes a call to the trace; gives the result that the fault plan has for it.
Result planned(const char* function, const std::string& what);

// modules.cpp
void clear_modules();
const ptx::Options& ptx_options();  // throws ptx::Error if the environment says what is none

// streams.cpp
Stream* stream_of(void* handle);  // null for what is no stream
Result enqueue(void* handle, Work work);  // or record it
bool is_capturing(void* handle);
// Refuses a call that waits for a stream, or that a capture of this thread does not permit, and invalidates the capture.
Result refuse_while_capturing(Stream& stream);
Result refuse_unsafe_while_capturing();
Result refuse_while_any_captures();
Result run(Stream& stream);
Result run_until(Stream& stream, const bool& reached);  // some work in its queue sets what is to be reached
Result run_all();
void clear_streams();

// graphs.cpp
size_t live_graphs();
void clear_graphs();

// events.cpp
void clear_events();

inline std::string in_bytes(size_t bytes) { return std::to_string(bytes) + " bytes"; }

inline void* host(Pointer address) { return reinterpret_cast<void*>(address); }

}  // namespace driver

// The argument, if any, is what the call is for, as the trace has it: a kernel, a number of bytes.
#define BEGIN_CALL(...)                                              \
    const std::lock_guard<std::recursive_mutex> guard(driver::lock); \
    if (!driver::initialised) return NOT_INITIALIZED;                \
    if (const Result fault = driver::planned(__func__, std::string(__VA_ARGS__))) return fault

#define BEGIN_CONTEXT_CALL(...)                           \
    BEGIN_CALL(__VA_ARGS__);                              \
    if (!driver::current_context) return INVALID_CONTEXT; \
    if (driver::sticky) return driver::sticky

// For a call that may disturb what a stream captures.
#define BEGIN_UNSAFE_CALL(...)       \
    BEGIN_CONTEXT_CALL(__VA_ARGS__); \
    if (const Result refused = driver::refuse_unsafe_while_capturing()) return refused
