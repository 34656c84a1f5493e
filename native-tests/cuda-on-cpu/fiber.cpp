#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace sim {

constexpr size_t GUARD = 4096;

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

Stack::Stack() {
    void* memory = mmap(nullptr, GUARD + BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::bad_alloc();
    }
    mprotect(memory, GUARD, PROT_NONE);
    base = static_cast<char*>(memory) + GUARD;
}

Stack::~Stack() { munmap(base - GUARD, GUARD + BYTES); }

void* Stack::prepare(void (*entry)()) {
    // A function starts with its return address on a stack that is otherwise aligned to 16; entry has none to return to.
    uintptr_t* top = reinterpret_cast<uintptr_t*>(base + BYTES);
    *--top = 0;
    *--top = reinterpret_cast<uintptr_t>(entry);
    for (int preserved_register = 0; preserved_register < 6; preserved_register++) {
        *--top = 0;
    }
    return top;
}

}  // namespace sim
