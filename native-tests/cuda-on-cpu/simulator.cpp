#include "simulator.h"

#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "fiber.h"
#include "tensor_cores.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace sim {

Thread* current;
Dim3 block_index, block_extent, grid_extent;

namespace {

constexpr int WARP = 32;

// The lanes of a warp that have come to a collective. Two sets of values alternate: nobody can come to the collective
// after the next one before all have read.
struct Warp {
    unsigned arrived = 0;
    unsigned mask = 0;
    int turn = 0;
    uint64_t values[2][WARP];
    void* data[WARP];
};

struct Block {
    const Kernel* kernel;
    const void* parameters;
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    unsigned live;            // threads that have not returned
    unsigned at_barrier = 0;
    int barrier_sum = 0, barrier_result = 0;
    Site barrier_site{};
    std::vector<void*> shared;
    size_t shared_bytes = 0;
    std::string error;
};

Block* block;
void* scheduler_stack;
std::unique_ptr<char[]> dynamic_memory;
std::vector<std::unique_ptr<Stack>> stacks;
Order order = Order::FORWARD;
uint64_t order_seed;

std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

#ifdef __SANITIZE_ADDRESS__
const void* scheduler_bottom;
size_t scheduler_bytes;

void enter_fiber(Thread& thread) {
    void* fake_stack;
    __sanitizer_start_switch_fiber(&fake_stack, stacks[thread.rank]->base, Stack::BYTES);
    sim_switch(&scheduler_stack, thread.stack);
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}

void leave_fiber() {
    void* fake_stack = nullptr;
    const bool ends = current->state == Thread::DONE;
    __sanitizer_start_switch_fiber(ends ? nullptr : &fake_stack, scheduler_bottom, scheduler_bytes);
    sim_switch(&current->stack, scheduler_stack);
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_bottom, &scheduler_bytes);
}

void fiber_started() { __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_bytes); }
#else
void enter_fiber(Thread& thread) { sim_switch(&scheduler_stack, thread.stack); }
void leave_fiber() { sim_switch(&current->stack, scheduler_stack); }
void fiber_started() {}
#endif

std::string text(const Dim3& d) {
    return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

std::string text(const Site& site) { return std::string(site.file) + ":" + std::to_string(site.line); }

// Ends the launch with an error, to be followed by leave_fiber(), which does not return then: the fibers of the block are
// abandoned. Two statements, so that what the first one allocated is freed.
void fail(const std::string& what) {
    block->error = std::string(block->kernel->name) + ", block " + text(block_index) + ", thread " + text(current->index)
                   + ": " + what;
}

void wait(Thread::State state, Site site) {
    current->state = state;
    current->waits_at = site;
    leave_fiber();
}

void open_barrier() {
    block->barrier_result = block->barrier_sum;
    block->at_barrier = 0;
    block->barrier_sum = 0;
    for (Thread& thread : block->threads) {
        if (thread.state == Thread::AT_BARRIER) {
            thread.state = Thread::READY;
        }
    }
}

void fiber_main() {
    fiber_started();
    block->kernel->call(block->kernel->function, block->parameters);
    current->state = Thread::DONE;
    block->live--;
    if (block->live > 0 && block->at_barrier == block->live) {
        open_barrier();
    }
    leave_fiber();
}

// Enters the current lane at a collective; true if it is the last of `mask`.
bool arrive(Warp& warp, unsigned mask, Site site) {
    const int first = current->rank / WARP * WARP;
    const int lanes = std::min(WARP, int(block->threads.size()) - first);
    mask &= lanes == WARP ? ~0u : (1u << lanes) - 1;
    if (!(mask >> lane() & 1)) {
        fail("lane " + std::to_string(lane()) + " is not in its own mask at " + text(site));
        leave_fiber();
    }
    if (warp.arrived != 0 && warp.mask != mask) {
        fail("lanes of one warp came to collectives with different masks, at " + text(site));
        leave_fiber();
    }
    warp.mask = mask;
    warp.arrived |= 1u << lane();
    return warp.arrived == mask;
}

void release(Warp& warp) {
    const int first = int(&warp - block->warps.data()) * WARP;
    for (int l = 0; l < WARP; l++) {
        if ((warp.arrived >> l & 1) && l != lane()) {
            block->threads[first + l].state = Thread::READY;
        }
    }
    warp.arrived = 0;
}

std::string describe_deadlock() {
    std::string where;
    for (const Thread& thread : block->threads) {
        if (thread.state == Thread::AT_BARRIER || thread.state == Thread::IN_WARP) {
            where += "; thread " + text(thread.index) + " waits at " + text(thread.waits_at);
            if (where.size() > 400) {
                break;
            }
        }
    }
    return std::string(block->kernel->name) + ", block " + text(block_index) + ": no thread can go on" + where;
}

void run_block(const std::vector<int>& turns) {
    for (size_t rank = 0; rank < block->threads.size(); rank++) {
        Thread& thread = block->threads[rank];
        const unsigned r = unsigned(rank);
        thread.index = {r % block_extent.x, r / block_extent.x % block_extent.y, r / (block_extent.x * block_extent.y)};
        thread.rank = int(rank);
        thread.stack = stacks[rank]->prepare(fiber_main);
        thread.state = Thread::READY;
        thread.copies.clear();
        thread.copy_group = 0;
    }
    block->live = unsigned(block->threads.size());
    block->at_barrier = 0;
    block->warps.assign((block->threads.size() + WARP - 1) / WARP, Warp{});
    while (block->live > 0) {
        bool progress = false;
        for (int rank : turns) {
            Thread& thread = block->threads[rank];
            if (thread.state == Thread::READY) {
                current = &thread;
                enter_fiber(thread);
                if (!block->error.empty()) {
                    return;
                }
                progress = true;
            }
        }
        if (!progress) {
            block->error = describe_deadlock();
            return;
        }
    }
}

}  // namespace

int barrier(int value, Site site) {
    if (block->at_barrier > 0 && (block->barrier_site.line != site.line || strcmp(block->barrier_site.file, site.file))) {
        fail("divergent barrier: this thread waits at " + text(site) + ", another at " + text(block->barrier_site));
        leave_fiber();
    }
    block->barrier_site = site;
    block->barrier_sum += value;
    if (++block->at_barrier == block->live) {
        open_barrier();
    } else {
        wait(Thread::AT_BARRIER, site);
    }
    return block->barrier_result;
}

uint64_t exchange(unsigned mask, uint64_t value, int source_lane, Site site) {
    Warp& warp = block->warps[current->rank / WARP];
    const int turn = warp.turn;
    warp.values[turn][lane()] = value;
    if (arrive(warp, mask, site)) {
        warp.turn ^= 1;
        release(warp);
    } else {
        wait(Thread::IN_WARP, site);
    }
    return warp.values[turn][source_lane];
}

void collective(void* data, void (*compute)(void* const* lanes), Site site) {
    Warp& warp = block->warps[current->rank / WARP];
    warp.data[lane()] = data;
    if (arrive(warp, ~0u, site)) {
        compute(warp.data);
        release(warp);
    } else {
        wait(Thread::IN_WARP, site);
    }
}

void async_copy(void* shared, const void* global, int bytes, int width) {
    if (reinterpret_cast<uintptr_t>(shared) % width || reinterpret_cast<uintptr_t>(global) % width) {
        fail("an asynchronous copy needs addresses that are multiples of " + std::to_string(width));
        leave_fiber();
    }
    current->copies.push_back({shared, global, bytes, width, current->copy_group});
}

void async_commit() { current->copy_group++; }

void async_wait(int groups_left) {
    auto& copies = current->copies;
    const auto waits = [&](const Copy& copy) { return copy.group < current->copy_group - groups_left; };
    for (const Copy& copy : copies) {
        if (waits(copy)) {
            memset(copy.shared, 0, size_t(copy.width));
            memcpy(copy.shared, copy.global, size_t(copy.bytes));
        }
    }
    copies.erase(std::remove_if(copies.begin(), copies.end(), waits), copies.end());
}

void enter_shared(void* array, size_t bytes, const char* name) {
    if (std::find(block->shared.begin(), block->shared.end(), array) != block->shared.end()) {
        return;
    }
    block->shared.push_back(array);
    block->shared_bytes += bytes;
    if (block->shared_bytes > SHARED_LIMIT) {
        fail(std::string("shared array ") + name + " brings the block to " + std::to_string(block->shared_bytes)
             + " bytes of shared memory, more than " + std::to_string(SHARED_LIMIT));
        leave_fiber();
    }
    memset(array, 0xFF, bytes);
}

void* dynamic_shared() { return dynamic_memory.get(); }

const Kernel* find_kernel(const std::string& name) {
    const auto found = kernels().find(name);
    return found == kernels().end() ? nullptr : &found->second;
}

void Registration::add(const Kernel& kernel) { kernels()[kernel.name] = kernel; }

void set_order(Order new_order, uint64_t seed) {
    order = new_order;
    order_seed = seed;
}

std::string launch(const Kernel& kernel, Dim3 grid, Dim3 extent, size_t dynamic_bytes, const void* parameters) {
    const uint64_t threads = uint64_t(extent.x) * extent.y * extent.z;
    if (threads == 0 || threads > MAX_THREADS) {
        return std::string(kernel.name) + ": a block can't have " + std::to_string(threads) + " threads";
    }
    while (stacks.size() < threads) {
        stacks.push_back(std::make_unique<Stack>());
    }
    std::vector<int> turns(threads);
    std::iota(turns.begin(), turns.end(), 0);
    if (order == Order::BACKWARD) {
        std::reverse(turns.begin(), turns.end());
    }
    std::mt19937_64 random(order_seed);

    // Past the end of dynamic shared memory: a red zone under ASan, else bytes that must stay as they are.
    constexpr size_t CANARY = 256;
#ifdef __SANITIZE_ADDRESS__
    dynamic_memory.reset(new char[dynamic_bytes]);
#else
    dynamic_memory.reset(new char[dynamic_bytes + CANARY]);
    memset(dynamic_memory.get() + dynamic_bytes, 0xA5, CANARY);
#endif

    Block state{};
    state.kernel = &kernel;
    state.parameters = parameters;
    state.threads.resize(threads);
    block = &state;
    block_extent = extent;
    grid_extent = grid;
    for (unsigned z = 0; z < grid.z && state.error.empty(); z++) {
        for (unsigned y = 0; y < grid.y && state.error.empty(); y++) {
            for (unsigned x = 0; x < grid.x && state.error.empty(); x++) {
                block_index = {x, y, z};
                state.shared.clear();
                state.shared_bytes = dynamic_bytes;
                memset(dynamic_memory.get(), 0xFF, dynamic_bytes);
                if (order == Order::SHUFFLED) {
                    std::shuffle(turns.begin(), turns.end(), random);
                }
                run_block(turns);
#ifndef __SANITIZE_ADDRESS__
                const char* end = dynamic_memory.get() + dynamic_bytes;
                if (std::any_of(end, end + CANARY, [](char c) { return c != char(0xA5); })) {
                    state.error = std::string(kernel.name) + ", block " + text(block_index)
                                  + ": wrote past its dynamic shared memory of " + std::to_string(dynamic_bytes) + " bytes";
                }
#endif
            }
        }
    }
    block = nullptr;
    current = nullptr;
    return state.error;
}

}  // namespace sim
