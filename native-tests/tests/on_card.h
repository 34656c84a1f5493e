// What kernel_test.h needs of a device, on a card.
#pragma once
#include <cstdlib>
#include <string>

#include "../gpu-check/card.h"

using TestMemory = CardMemory;

inline void copy_to_device(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        Card::get().copy_to(reinterpret_cast<uintptr_t>(target), source, bytes);
    }
}

inline void copy_to_host(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        Card::get().copy_from(target, reinterpret_cast<uintptr_t>(source), bytes);
    }
}

// Blocks and warps run in another order each time. Once is enough under a sanitizer, which is slow.
inline int turns() { return getenv("FOVEA_ONE_TURN") ? 1 : 3; }
inline void set_turn(int) {}
template <class Launch>
void take_out_barriers(Launch) {}  // compute-sanitizer looks for races

inline std::string launch_kernel(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared,
                                 const void* params, size_t) {
    const std::string error = Card::get().launch(kernel, blocks, threads, shared, params);
    return error.empty() ? Card::get().synchronize() : error;
}
