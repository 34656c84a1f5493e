// SPDX-License-Identifier: Apache-2.0
// A machine that runs PTX, the assembly text that nvcc makes, on the CPU: grids of blocks, whose warps of 32 lanes execute one
// instruction at a time. It is as strict as a card or stricter: what is undefined by the PTX ISA is an error that names kernel,
// line, block and lane.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "counters.h"

namespace ptx {

struct Error : std::runtime_error {
    using runtime_error::runtime_error;
};

struct Dim3 {
    unsigned x = 1, y = 1, z = 1;
};

// Shared memory of a block on the smallest cards that Fovea supports (sm_86, sm_89).
constexpr size_t SHARED_LIMIT = 99 * 1024;

// Of one .entry; known without parsing its body.
struct Kernel {
    std::string name;
    size_t parameter_bytes = 0;
    unsigned max_threads = 1024;  // of a block: .maxntid
    int line = 0;                 // in the module's text
    size_t body = 0, end = 0;     // of its text between the braces
    struct Parameter {
        std::string name;
        size_t offset, bytes;
    };
    std::vector<Parameter> parameters;
};

struct Program;
class GlobalMemory;

// The text of a .ptx. Kernels are parsed and translated when they are first wanted. Thread-safe.
class Module {
  public:
    // `file` is for messages. Throws Error, "file:line: ...".
    static std::shared_ptr<const Module> parse(std::string text, std::string file);
    ~Module();

    // Null if there is none.
    const Kernel* find(const std::string& name) const;
    std::vector<std::string> kernels() const;  // in the text's order
    const std::string& file() const;

    // Throws Error, "file:line: ...", if the kernel has an instruction that the machine doesn't know.
    const Program& program(const Kernel& kernel) const;
    // Bytes of shared memory that the kernel declares, translated for it. Throws as program().
    size_t static_shared(const Kernel& kernel) const;
    // A source file by its number in .file, or an empty string.
    std::string source(int number) const;

    struct State;
    const State& state() const { return *state_; }

  private:
    Module();
    std::unique_ptr<State> state_;
};

// What kernels may access in global memory, and which bytes were ever written. A device address is a host address. Thread-safe;
// nothing may be freed while a launch uses it.
class GlobalMemory {
  public:
    struct Region {
        uintptr_t address;
        size_t bytes;
        std::unique_ptr<uint8_t[]> written;  // a bit per byte, from the lowest bit; some bytes more than needed
        std::atomic<bool> complete = false;  // all of it was written
    };

    GlobalMemory();
    ~GlobalMemory();
    // Memory of the host's at `address` becomes accessible; nothing of it is written.
    void allocate(uintptr_t address, size_t bytes);
    void free(uintptr_t address);
    // These bytes, which may lie in no allocation, have a value now.
    void written(uintptr_t address, size_t bytes);
    // The allocation that holds this byte, or null.
    Region* find(uintptr_t address) const;
    // The allocation with the highest address that isn't above this one, or null: to say what an access came near to.
    Region* below(uintptr_t address) const;

  private:
    mutable std::shared_mutex mutex_;
    std::map<uintptr_t, std::unique_ptr<Region>> regions_;
};

// In which order the warps of a block and the blocks of a grid have their turns, and when asynchronous copies arrive.
enum class Order { FORWARD, BACKWARD, SHUFFLED };
enum class Landing { RANDOM, EARLY, LATE };

// How the products of mma are summed: semantics/mma.h.
enum class Sums;

struct Options {
    uint64_t seed = 0;                  // 0: approximations give the nearest float, within whatever bound
    Order order = Order::FORWARD;       // SHUFFLED warps change at random points too, not only at barriers
    Landing landing = Landing::RANDOM;  // of cp.async
    Sums tensor_sums{};                 // of mma; at first exact
    bool races = true;                  // between warps through shared memory
    bool warp_order = false;            // accesses of a warp's lanes to shared memory that no bar.warp.sync orders
    bool unwritten = true;              // reads of memory that was never written
    int threads = 0;                    // of the host, at most; 0: one per core
    size_t shared_limit = SHARED_LIMIT;

    // FOVEA_SIMULATOR_SEED, _ORDER (forward, backward, shuffled), _LANDING (random, early, late), _TENSOR_SUMS (exact, ampere,
    // hopper), _THREADS, _CHECKS (all, none, races, unwritten, warp_order). Throws Error for another value.
    static Options from_environment();
};

// Classes of instructions that compete for the same unit of a card.
enum class Class : uint8_t {
    INTEGER, FLOAT, DOUBLE, SPECIAL, CONVERT, MOVE, CONTROL, LOAD, STORE, ATOMIC, COPY, SHUFFLE, MATRIX_LOAD, MATRIX, BARRIER
};

enum class Space : uint8_t { GENERIC, GLOBAL, SHARED, LOCAL, PARAM, CONST };
constexpr int SPACES = 6;

// Runs a kernel to its end. Returns what went wrong - kernel, line of the PTX, line of the source, block, warp, lane - or an
// empty string. Counters are added to.
std::string launch(const Module& module, const Kernel& kernel, GlobalMemory& memory, Dim3 grid, Dim3 block,
                   size_t dynamic_shared,
                   const void* parameters, const Options& options, Counters* counters = nullptr);

}  // namespace ptx
