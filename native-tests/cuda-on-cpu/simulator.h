// SPDX-License-Identifier: Apache-2.0
// Runs CUDA kernels on the CPU: blocks one after another, the threads of a block as fibers on one OS thread that take
// turns at barriers and warp collectives. Not thread-safe: one launch at a time.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Kernels of a library of their own find it in the driver's.
#pragma GCC visibility push(default)

namespace sim {

struct Dim3 {
    unsigned x = 1, y = 1, z = 1;
};

// A place in a kernel's source.
struct Site {
    const char* file;
    int line;
};

// An asynchronous copy that was asked for and not yet waited for.
struct Copy {
    void* shared;
    const void* global;
    int bytes;
    int width;
    int group;
    bool landed;
    Site site;
};

struct Thread {
    Dim3 index;
    int rank;  // in the block
    enum State { READY, AT_BARRIER, IN_WARP, DONE } state;
    Site waits_at;
    std::vector<Copy> copies;
    int copy_group;  // of the next copy
};

extern Thread* current;
extern Dim3 block_index, block_extent, grid_extent;

inline int lane() { return current->rank % 32; }

// Waits for every thread of the block that has not returned; gives the sum of their arguments.
int barrier(int value, Site site);
// Waits for the lanes of `mask`; gives the value that `source_lane` passed.
uint64_t exchange(unsigned mask, uint64_t value, int source_lane, Site site);
// Waits for all 32 lanes of the warp, of which the last runs `compute` on what every lane passed.
void collective(void* data, void (*compute)(void* const* lanes), Site site);
// Counts a static shared array against the block's memory, fills it with 0xFF and plants its canary, when a block first
// comes to it.
void enter_shared(void* array, size_t bytes, void* canary, const char* name);
void* dynamic_shared();

// Shared memory of a block on the smallest cards that Fovea supports (sm_86, sm_89).
constexpr size_t SHARED_LIMIT = 99 * 1024;
constexpr unsigned MAX_THREADS = 1024;

// A kernel takes one struct by value.
struct Kernel {
    const char* name;
    size_t parameter_bytes;
    void (*function)();
    void (*call)(void (*function)(), const void* parameters);
};

// All that REGISTER_KERNEL names, by name; null if there is none.
const Kernel* find_kernel(const std::string& name);

struct Registration {
    template <class P>
    Registration(const char* name, void (*function)(P)) {
        add({name, sizeof(P), reinterpret_cast<void (*)()>(function), [](void (*f)(), const void* parameters) {
                 reinterpret_cast<void (*)(P)>(f)(*static_cast<const P*>(parameters));
             }});
    }
    static void add(const Kernel& kernel);
};

// The order in which the fibers of a block get their turns, and the blocks of a grid. A kernel that lacks a barrier, or
// whose blocks depend on each other, gives different results.
enum class Order { FORWARD, BACKWARD, SHUFFLED };
void set_order(Order order, uint64_t seed = 0);

// When an asynchronous copy arrives: at once, at the wait for its group, or anywhere between the two; one that was never
// committed anywhere up to the end of its thread. A kernel that reads too early or uses the place too early gives different
// results. A thread that ends with copies in flight, which might then fall on whatever its block does next, is refused.
enum class Landing { RANDOM, EARLY, LATE };
void set_landing(Landing landing, uint64_t seed = 0);

// Plants a defect in every later launch: threads pass the barrier of this number, in the order in which a launch first comes
// to its places of barriers, without waiting. 0 for none.
void omit_barrier(int number);
// The places of the barriers that the last launch came to.
std::vector<Site> barriers();

// Runs a kernel to its end. Returns what went wrong - kernel, block, thread, place - or an empty string.
std::string launch(const Kernel& kernel, Dim3 grid, Dim3 block, size_t dynamic_bytes, const void* parameters);

}  // namespace sim

#pragma GCC visibility pop
