// SPDX-License-Identifier: Apache-2.0
#include "simulator.h"

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "canary.h"
#include "fiber.h"
#include "tensor_cores.h"

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
    std::map<unsigned, std::array<char, 2>> order_places;  // by mask: lanes that are not in it are not ordered
};

struct SharedArray {
    const void* canary;
    const char* name;
};

struct Block {
    const Kernel* kernel;
    const void* parameters;
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    unsigned live;            // threads that have not returned
    unsigned at_barrier = 0;
    int barrier_sum = 0, barrier_result = 0;
    int turn = 0;             // alternates: nobody comes to the barrier after the next before all have left this one
    char order_places[2];     // for acquire and release
    Site barrier_site{};
    std::vector<SharedArray> shared;
    size_t shared_bytes = 0;
    std::string error;
};

Block* block;
std::unique_ptr<char[]> dynamic_memory;
std::vector<std::unique_ptr<Fiber>> fibers;
Order order = Order::FORWARD;
uint64_t order_seed;
int omitted_barrier;
std::vector<Site> barriers_met;  // by the last launch, in the order in which it came to them
Landing landing = Landing::RANDOM;
std::minstd_rand landing_random;

std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

void leave_fiber() { fibers[current->rank]->leave(current->state == Thread::DONE); }

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
    block->turn ^= 1;
    block->at_barrier = 0;
    block->barrier_sum = 0;
    for (Thread& thread : block->threads) {
        if (thread.state == Thread::AT_BARRIER) {
            thread.state = Thread::READY;
        }
    }
}

void land(Copy& copy) {
    memset(copy.shared, 0, size_t(copy.width));
    memcpy(copy.shared, copy.global, size_t(copy.bytes));
    wrote(copy.shared, size_t(copy.width));
    copy.landed = true;
}

// Where a thread meets others, some of its copies may have arrived.
void land_some() {
    if (landing == Landing::RANDOM) {
        for (Copy& copy : current->copies) {
            if (!copy.landed && landing_random() % 4 == 0) {
                land(copy);
            }
        }
    }
}

void refuse_copies_in_flight() {
    const auto& copies = current->copies;
    if (copies.empty()) {
        return;
    }
    const auto uncommitted = std::count_if(copies.begin(), copies.end(),
                                           [](const Copy& copy) { return copy.group == current->copy_group; });
    fail("ends with asynchronous copies in flight, " + std::to_string(copies.size() - size_t(uncommitted))
         + " committed and not waited for, " + std::to_string(uncommitted) + " never committed; the first from "
         + text(copies.front().site));
}

void fiber_main() {
    fibers[current->rank]->begin();
    block->kernel->call(block->kernel->function, block->parameters);
    refuse_copies_in_flight();
    current->state = Thread::DONE;
    block->live--;
    if (block->live > 0 && block->at_barrier == block->live) {
        open_barrier();
    }
    leave_fiber();
}

// Waits for the lanes of `mask`, of which the last one runs `compute` before any goes on.
template <class F>
void meet(Warp& warp, unsigned mask, Site site, F compute) {
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
    land_some();
    warp.mask = mask;
    warp.arrived |= 1u << lane();
    char* const place = &warp.order_places[mask][warp.turn];
    happens_before(place);
    if (warp.arrived != mask) {
        wait(Thread::IN_WARP, site);
        happens_after(place);
        return;
    }
    happens_after(place);
    compute();
    happens_before(place);
    for (int l = 0; l < lanes; l++) {
        if ((mask >> l & 1) && l != lane()) {
            block->threads[first + l].state = Thread::READY;
        }
    }
    warp.arrived = 0;
    warp.turn ^= 1;
}

bool same(const Site& a, const Site& b) { return a.line == b.line && strcmp(a.file, b.file) == 0; }

// Whether this is the barrier that omit_barrier() takes out.
bool omitted(const Site& site) {
    const auto at = std::find_if(barriers_met.begin(), barriers_met.end(), [&](const Site& s) { return same(s, site); });
    const bool known = at != barriers_met.end();
    const int number = int(at - barriers_met.begin()) + 1;
    if (!known) {
        barriers_met.push_back(site);
    }
    return number == omitted_barrier;
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

std::string overrun(const std::string& memory) {
    return std::string(block->kernel->name) + ", block " + text(block_index) + ": wrote past " + memory;
}

void run_block(const std::vector<int>& turns) {
    block->live = unsigned(block->threads.size());
    block->at_barrier = 0;
    block->warps.assign((block->threads.size() + WARP - 1) / WARP, Warp{});
    for (size_t rank = 0; rank < block->threads.size(); rank++) {
        Thread& thread = block->threads[rank];
        const unsigned r = unsigned(rank);
        thread.index = {r % block_extent.x, r / block_extent.x % block_extent.y, r / (block_extent.x * block_extent.y)};
        thread.rank = int(rank);
        fibers[rank]->prepare(fiber_main);
        thread.state = Thread::READY;
        thread.copies.clear();
        thread.copy_group = 0;
    }
    const int races_before = races();
    while (block->live > 0) {
        bool progress = false;
        for (int rank : turns) {
            Thread& thread = block->threads[rank];
            if (thread.state == Thread::READY) {
                current = &thread;
                fibers[rank]->enter();
                if (races() > races_before) {
                    fail("a data race, as ThreadSanitizer reports");
                }
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
    if (omitted(site)) {
        return value;
    }
    if (block->at_barrier > 0 && !same(block->barrier_site, site)) {
        fail("divergent barrier: this thread waits at " + text(site) + ", another at " + text(block->barrier_site));
        leave_fiber();
    }
    land_some();
    block->barrier_site = site;
    block->barrier_sum += value;
    char* const place = &block->order_places[block->turn];
    happens_before(place);
    if (++block->at_barrier == block->live) {
        open_barrier();
    } else {
        wait(Thread::AT_BARRIER, site);
    }
    happens_after(place);
    return block->barrier_result;
}

uint64_t exchange(unsigned mask, uint64_t value, int source_lane, Site site) {
    Warp& warp = block->warps[current->rank / WARP];
    const int turn = warp.turn;
    warp.values[turn][lane()] = value;
    meet(warp, mask, site, [] {});
    return warp.values[turn][source_lane];
}

void collective(void* data, void (*compute)(void* const* lanes), Site site) {
    Warp& warp = block->warps[current->rank / WARP];
    warp.data[lane()] = data;
    meet(warp, ~0u, site, [&] { compute(warp.data); });
}

void async_copy(void* shared, const void* global, int bytes, int width, Site site) {
    if (reinterpret_cast<uintptr_t>(shared) % width || reinterpret_cast<uintptr_t>(global) % width) {
        fail("an asynchronous copy needs addresses that are multiples of " + std::to_string(width));
        leave_fiber();
    }
    // The bytes may arrive from now on, so what was there is gone already.
    memset(shared, 0xFF, size_t(width));
    wrote(shared, size_t(width));
    current->copies.push_back({shared, global, bytes, width, current->copy_group, false, site});
    if (landing == Landing::EARLY || (landing == Landing::RANDOM && landing_random() % 4 == 0)) {
        land(current->copies.back());
    }
}

void async_commit() { current->copy_group++; }

void async_wait(int groups_left) {
    auto& copies = current->copies;
    const auto waits = [&](const Copy& copy) { return copy.group < current->copy_group - groups_left; };
    for (Copy& copy : copies) {
        if (waits(copy) && !copy.landed) {
            land(copy);
        }
    }
    copies.erase(std::remove_if(copies.begin(), copies.end(), waits), copies.end());
}

void enter_shared(void* array, size_t bytes, void* canary, const char* name) {
    const auto is_this = [&](const SharedArray& other) { return other.canary == canary; };
    if (std::any_of(block->shared.begin(), block->shared.end(), is_this)) {
        return;
    }
    block->shared.push_back({canary, name});
    block->shared_bytes += bytes;
    if (block->shared_bytes > SHARED_LIMIT) {
        fail(std::string("shared array ") + name + " brings the block to " + std::to_string(block->shared_bytes)
             + " bytes of shared memory, more than " + std::to_string(SHARED_LIMIT));
        leave_fiber();
    }
    fill_unseen(array, 0xFF, bytes);
    plant_canary(canary, CANARY_BYTES);
}

void omit_barrier(int number) { omitted_barrier = number; }

std::vector<Site> barriers() { return barriers_met; }

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

void set_landing(Landing new_landing, uint64_t seed) {
    landing = new_landing;
    landing_random.seed(std::minstd_rand::result_type(seed + 1));
}

std::string launch(const Kernel& kernel, Dim3 grid, Dim3 extent, size_t dynamic_bytes, const void* parameters) {
    const uint64_t threads = uint64_t(extent.x) * extent.y * extent.z;
    if (threads == 0 || threads > MAX_THREADS) {
        return std::string(kernel.name) + ": a block can't have " + std::to_string(threads) + " threads";
    }
    while (fibers.size() < threads) {
        fibers.push_back(std::make_unique<Fiber>());
    }
    std::vector<int> turns(threads);
    std::iota(turns.begin(), turns.end(), 0);
    if (order == Order::BACKWARD) {
        std::reverse(turns.begin(), turns.end());
    }
    // Blocks may run in any order, so they get the same treatment.
    std::vector<unsigned> blocks(size_t(grid.x) * grid.y * grid.z);
    std::iota(blocks.begin(), blocks.end(), 0u);
    std::mt19937_64 random(order_seed);
    if (order == Order::BACKWARD) {
        std::reverse(blocks.begin(), blocks.end());
    } else if (order == Order::SHUFFLED) {
        std::shuffle(blocks.begin(), blocks.end(), random);
    }

    dynamic_memory.reset(new char[dynamic_bytes + CANARY_BYTES]);
    char* const dynamic_canary = dynamic_memory.get() + dynamic_bytes;
    plant_canary(dynamic_canary, CANARY_BYTES);
    barriers_met.clear();
    barriers_met.reserve(64);

    Block state{};
    state.kernel = &kernel;
    state.parameters = parameters;
    state.threads.resize(threads);
    state.shared.reserve(64);
    block = &state;
    block_extent = extent;
    grid_extent = grid;
    for (unsigned b : blocks) {
        block_index = {b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y)};
        state.shared.clear();
        state.shared_bytes = dynamic_bytes;
        memset(dynamic_memory.get(), 0xFF, dynamic_bytes);
        if (order == Order::SHUFFLED) {
            std::shuffle(turns.begin(), turns.end(), random);
        }
        run_block(turns);
        if (!state.error.empty()) {
            for (size_t rank = 0; rank < threads; rank++) {
                fibers[rank]->abandon();
            }
            break;
        }
        if (!canary_intact(dynamic_canary, CANARY_BYTES)) {
            state.error = overrun("its dynamic shared memory of " + std::to_string(dynamic_bytes) + " bytes");
        }
        for (const SharedArray& array : state.shared) {
            if (!canary_intact(array.canary, CANARY_BYTES)) {
                state.error = overrun(std::string("shared array ") + array.name);
            }
        }
    }
    remove_canary(dynamic_canary, CANARY_BYTES);
    block = nullptr;
    current = nullptr;
    return state.error;
}

}  // namespace sim
