// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "../cuda-on-cpu/simulator.h"
#include "../driver/device_memory.h"
#include "test_device.h"

struct TestMemory::Blocks : driver::DeviceMemory {
    Blocks() : DeviceMemory(size_t(1) << 30) {}
};

TestMemory::TestMemory() : blocks_(std::make_unique<Blocks>()) {}
TestMemory::~TestMemory() = default;
uintptr_t TestMemory::allocate(size_t bytes) { return blocks_->allocate(bytes); }
void TestMemory::clear() { blocks_->clear(); }
std::string TestMemory::check_canaries() const { return blocks_->check_canaries(); }

void copy_to_device(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        memcpy(target, source, bytes);
    }
}

void copy_to_host(void* target, const void* source, size_t bytes) { copy_to_device(target, source, bytes); }

int turns() { return 3; }

void set_turn(int turn) {
    const sim::Order orders[] = {sim::Order::FORWARD, sim::Order::BACKWARD, sim::Order::SHUFFLED};
    const sim::Landing landings[] = {sim::Landing::LATE, sim::Landing::EARLY, sim::Landing::RANDOM};
    sim::set_order(orders[turn], 7);
    sim::set_landing(landings[turn], 7);
}

std::string launch_kernel(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared, const void* params,
                          size_t bytes) {
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
