// SPDX-License-Identifier: Apache-2.0
// Fibers for x86-64: a switch saves the six registers that a call preserves and swaps stacks (14 ns). The sanitizers are
// told of every switch.
#pragma once
#include <cstddef>
#include <cstring>

namespace sim {

// A stack of its own on which a function runs in turns with the scheduler, the code that enters fibers.
class Fiber {
  public:
    Fiber();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // Makes the next enter() call `entry`, which must begin with begin() and end with leave(true).
    void prepare(void (*entry)());
    // Called by the scheduler: runs the fiber until it leaves.
    void enter();
    // Called on the fiber: begin() first of all, leave() to go back to the scheduler.
    void begin();
    void leave(bool ends);
    // Called by the scheduler for a fiber that has left and will not be entered again.
    void abandon();

  private:
    static constexpr size_t BYTES = 256 * 1024;
    char* base_;                  // of the stack; an unreadable page below it makes an overflow fault
    void* saved_ = nullptr;       // the fiber's stack pointer while the scheduler runs
    void* fake_stack_ = nullptr;  // ASan's
    void* context_ = nullptr;     // TSan's
    bool ended_ = false;
};

// Memory order between fibers as ThreadSanitizer sees it: what a fiber did before happens_before(place) comes before what
// another does after a later happens_after(place). A switch by itself orders nothing. Empty without TSan.
#ifdef FOVEA_TSAN
void happens_before(void* place);
void happens_after(void* place);
// Shows TSan a write that the simulator made on behalf of a kernel.
void wrote(void* memory, size_t bytes);
// memset, which TSan intercepts, without a race with anyone.
void fill_unseen(void* memory, int byte, size_t bytes);
// The number of races found so far.
int races();
#else
inline void happens_before(void*) {}
inline void happens_after(void*) {}
inline void wrote(void*, size_t) {}
inline void fill_unseen(void* memory, int byte, size_t bytes) { memset(memory, byte, bytes); }
inline int races() { return 0; }
#endif

}  // namespace sim
