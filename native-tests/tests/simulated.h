// What kernel_test.h needs of a device, on the simulator.
#pragma once
#include <cstring>
#include <string>

#include "../cuda-on-cpu/simulator.h"
#include "../driver/device_memory.h"
#include "needed_barriers.h"

struct TestMemory : driver::DeviceMemory {
    TestMemory() : DeviceMemory(size_t(1) << 30) {}
};

inline void copy_to_device(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        memcpy(target, source, bytes);
    }
}

inline void copy_to_host(void* target, const void* source, size_t bytes) { copy_to_device(target, source, bytes); }

// The orders in which fibers run.
inline int turns() { return 3; }
inline void set_turn(int turn) {
    const sim::Order orders[] = {sim::Order::FORWARD, sim::Order::BACKWARD, sim::Order::SHUFFLED};
    sim::set_order(orders[turn], 7);
}

inline std::string launch_kernel(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared,
                                 const void* params, size_t bytes) {
    const sim::Kernel* found = sim::find_kernel(kernel);
    if (!found) {
        return "there is no kernel " + kernel;
    }
    if (found->parameter_bytes != bytes) {
        return kernel + " takes " + std::to_string(found->parameter_bytes) + " bytes of parameters, not "
               + std::to_string(bytes);
    }
    return sim::launch(*found, {blocks}, {threads}, shared, params);
}
