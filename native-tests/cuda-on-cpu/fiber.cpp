// SPDX-License-Identifier: Apache-2.0
#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif
#ifdef FOVEA_TSAN
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void __tsan_write_range(void* address, size_t bytes);
}
#endif

// Saves the current stack pointer in *from and goes on at `to`.
extern "C" void sim_switch(void** from, void* to);

asm(R"(
.text
.hidden sim_switch
.globl sim_switch
.type sim_switch, @function
sim_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
.size sim_switch, . - sim_switch
)");

namespace sim {

namespace {

constexpr size_t GUARD = 4096;

void* scheduler_stack;
#ifdef __SANITIZE_ADDRESS__
const void* scheduler_bottom;
size_t scheduler_bytes;
#endif
#ifdef FOVEA_TSAN
// One object for both would order a fiber that starts late behind one that has ended, and hide their races.
char started, ended;
void* scheduler_context;
int found_races;
#endif

}  // namespace

Fiber::Fiber() {
    void* memory = mmap(nullptr, GUARD + BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::bad_alloc();
    }
    mprotect(memory, GUARD, PROT_NONE);
    base_ = static_cast<char*>(memory) + GUARD;
#ifdef FOVEA_TSAN
    context_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#ifdef FOVEA_TSAN
    __tsan_destroy_fiber(context_);
#endif
    munmap(base_ - GUARD, GUARD + BYTES);
}

void Fiber::prepare(void (*entry)()) {
    // A function starts with its return address on a stack that is otherwise aligned to 16; entry has none to return to.
    uintptr_t* top = reinterpret_cast<uintptr_t*>(base_ + BYTES);
    *--top = 0;
    *--top = reinterpret_cast<uintptr_t>(entry);
    for (int preserved_register = 0; preserved_register < 6; preserved_register++) {
        *--top = 0;
    }
    saved_ = top;
    ended_ = false;
#ifdef FOVEA_TSAN
    happens_before(&started);
#endif
}

void Fiber::enter() {
#ifdef __SANITIZE_ADDRESS__
    void* fake_stack;
    __sanitizer_start_switch_fiber(&fake_stack, base_, BYTES);
#endif
#ifdef FOVEA_TSAN
    scheduler_context = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(context_, __tsan_switch_to_fiber_no_sync);
#endif
    sim_switch(&scheduler_stack, saved_);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
#ifdef FOVEA_TSAN
    if (ended_) {
        happens_after(&ended);
    }
#endif
}

void Fiber::begin() {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_bytes);
#endif
#ifdef FOVEA_TSAN
    happens_after(&started);
#endif
}

void Fiber::leave(bool ends) {
    ended_ = ends;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(ends ? nullptr : &fake_stack_, scheduler_bottom, scheduler_bytes);
#endif
#ifdef FOVEA_TSAN
    if (ends) {
        happens_before(&ended);
    }
    __tsan_switch_to_fiber(scheduler_context, __tsan_switch_to_fiber_no_sync);
#endif
    sim_switch(&saved_, scheduler_stack);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake_stack_, &scheduler_bottom, &scheduler_bytes);
#endif
}

void Fiber::abandon() {
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(base_, BYTES);
#endif
#ifdef FOVEA_TSAN
    if (!ended_) {
        __tsan_switch_to_fiber(context_, __tsan_switch_to_fiber_no_sync);
        happens_before(&ended);
        __tsan_switch_to_fiber(scheduler_context, __tsan_switch_to_fiber_no_sync);
        happens_after(&ended);
    }
    __tsan_destroy_fiber(context_);
    context_ = __tsan_create_fiber(0);  // with no calls left open
#endif
}

#ifdef FOVEA_TSAN
void happens_before(void* place) { __tsan_release(place); }
void happens_after(void* place) { __tsan_acquire(place); }
void wrote(void* memory, size_t bytes) { __tsan_write_range(memory, bytes); }

void fill_unseen(void* memory, int byte, size_t bytes) {
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    memset(memory, byte, bytes);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

int races() { return found_races; }
#endif

}  // namespace sim

#ifdef FOVEA_TSAN
extern "C" __attribute__((visibility("default"))) void __tsan_on_report(void*) { sim::found_races++; }

// A race makes its launch fail, so the process need not. The same pair of places may race in two tests.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
    return "exitcode=0:suppress_equal_stacks=0:suppress_equal_addresses=0";
}
#endif
