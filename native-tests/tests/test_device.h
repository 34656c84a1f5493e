// SPDX-License-Identifier: Apache-2.0
// The device of the kernel tests. They are linked with simulated_device.cpp for the simulator, with gpu-check/card_device.cpp
// for a card.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

// Device memory in which each allocation lies between two canaries.
class TestMemory {
  public:
    TestMemory();
    ~TestMemory();
    uintptr_t allocate(size_t bytes);  // filled with 0xFF
    void clear();
    // Describes the first damaged canary; empty if none is.
    std::string check_canaries() const;

  private:
    struct Blocks;
    std::unique_ptr<Blocks> blocks_;
};

void copy_to_device(void* target, const void* source, size_t bytes);
void copy_to_host(void* target, const void* source, size_t bytes);

// The number of times that a launch is repeated: on the simulator each time with another order of fibers and other times for
// asynchronous copies to arrive, which set_turn chooses.
int turns();
void set_turn(int turn);

// Launches and waits. Returns what went wrong, or an empty string.
std::string launch_kernel(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared, const void* params,
                          size_t bytes);
