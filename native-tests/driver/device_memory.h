// SPDX-License-Identifier: Apache-2.0
// The memory of the simulated device and pinned host memory. Device addresses are host addresses. Each allocation lies
// between two canaries: bytes that must not change, and that ASan may not see touched. The PTX machine, where it runs the
// kernels, is told what is allocated and what was written.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace ptx {
class GlobalMemory;
}

namespace driver {

class DeviceMemory {
  public:
    explicit DeviceMemory(size_t capacity) : capacity_(capacity) {}
    ~DeviceMemory() { clear(); }
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;

    // An address, or 0 if there is no room. The contents are 0xFF.
    uintptr_t allocate(size_t bytes);
    bool free(uintptr_t address);
    void clear();
    // From now on, while nothing is allocated; null for nobody.
    void tell(ptx::GlobalMemory* machine) { machine_ = machine; }
    // Other than by kernels.
    void written(uintptr_t address, size_t bytes);
    // Bytes of the target are as written as those of the source.
    void copied(uintptr_t target, uintptr_t source, size_t bytes);
    // Whether [address, address + bytes) lies in one allocation.
    bool contains(uintptr_t address, size_t bytes) const;
    // Describes the first damaged canary; empty if none is.
    std::string check_canaries() const;

    size_t capacity() const { return capacity_; }
    size_t available() const { return capacity_ - used_; }
    size_t count() const { return blocks_.size(); }

  private:
    size_t capacity_, used_ = 0;
    ptx::GlobalMemory* machine_ = nullptr;
    std::map<uintptr_t, size_t> blocks_;  // size by address
};

}  // namespace driver
