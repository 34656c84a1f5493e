// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <map>

#include "../tests/needed_barriers.h"
#include "../tests/test_device.h"
#include "card.h"

namespace {

constexpr size_t CANARY = 256;
constexpr unsigned char CANARY_BYTE = 0xA5;

bool intact(uintptr_t address) {
    unsigned char bytes[CANARY];
    Card::get().copy_from(bytes, address, CANARY);
    return std::all_of(bytes, bytes + CANARY, [](unsigned char byte) { return byte == CANARY_BYTE; });
}

}  // namespace

struct TestMemory::Blocks {
    std::map<uintptr_t, size_t> bytes;  // by address
};

TestMemory::TestMemory() : blocks_(std::make_unique<Blocks>()) {}
TestMemory::~TestMemory() { clear(); }

uintptr_t TestMemory::allocate(size_t bytes) {
    Card& card = Card::get();
    const uintptr_t base = card.allocate(CANARY + bytes + CANARY);
    if (base == 0) {
        return 0;
    }
    card.fill(base, CANARY_BYTE, CANARY + bytes + CANARY);
    card.fill(base + CANARY, 0xFF, bytes);
    blocks_->bytes[base + CANARY] = bytes;
    return base + CANARY;
}

void TestMemory::clear() {
    for (const auto& [address, bytes] : blocks_->bytes) {
        Card::get().free(address - CANARY);
    }
    blocks_->bytes.clear();
}

std::string TestMemory::check_canaries() const {
    for (const auto& [address, bytes] : blocks_->bytes) {
        if (!intact(address - CANARY)) {
            return "wrote before an allocation of " + std::to_string(bytes) + " bytes";
        }
        if (!intact(address + bytes)) {
            return "wrote past the end of an allocation of " + std::to_string(bytes) + " bytes";
        }
    }
    return "";
}

void copy_to_device(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        Card::get().copy_to(reinterpret_cast<uintptr_t>(target), source, bytes);
    }
}

void copy_to_host(void* target, const void* source, size_t bytes) {
    if (bytes > 0) {
        Card::get().copy_from(target, reinterpret_cast<uintptr_t>(source), bytes);
    }
}

// Blocks and warps run in another order each time by themselves. Once is enough under a sanitizer, which is slow.
int turns() { return getenv("FOVEA_ONE_TURN") ? 1 : 3; }
void set_turn(int) {}

std::string launch_kernel(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared, const void* params,
                          size_t) {
    if (blocks == 0) {
        return "";  // nothing to do; a driver would call it an error
    }
    const std::string error = Card::get().launch(kernel, blocks, threads, shared, params);
    return error.empty() ? Card::get().synchronize() : error;
}

void take_out_barriers(const std::function<std::string()>&) {}  // racecheck looks for races
