// SPDX-License-Identifier: Apache-2.0
// A CUDA device through its driver library, libcuda.so.1, which is looked up at run time: what uses this builds and starts
// without a driver, and runs just as well on the simulated one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

class Card {
  public:
    // Opens the first device and loads the images (fatbins or cubins) that FOVEA_IMAGES names, separated by colons. Without
    // driver or device it says so in one line and ends the process with status 3.
    static Card& get();

    std::string name() const { return name_; }
    std::string driver() const { return driver_; }  // the newest CUDA that it supports, such as 13.0
    std::string architecture() const;               // such as sm_90a
    int multiprocessors() const { return attribute(16); }
    size_t memory() const { return memory_; }
    bool simulated() const { return name_.find("simulated") != std::string::npos; }

    bool has(const std::string& kernel) { return function(kernel) != nullptr; }
    // Queues a launch of a kernel that takes one struct. Returns what went wrong, or an empty string.
    std::string launch(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared, const void* params);
    // Waits for all that was queued; likewise.
    std::string synchronize();

    uintptr_t allocate(size_t bytes);  // 0 if there is no room
    void free(uintptr_t address);
    void fill(uintptr_t address, unsigned char byte, size_t bytes);
    void copy_to(uintptr_t target, const void* source, size_t bytes);
    void copy_from(void* target, uintptr_t source, size_t bytes);
    void copy_within(uintptr_t target, uintptr_t source, size_t bytes);  // queued

    // Marks in the queue, for timing.
    void* event();
    void record(void* event);
    double seconds(void* from, void* to);  // waits for the latter

  private:
    Card();
    int attribute(int which) const;
    void* function(const std::string& kernel);
    std::string error(int result, const std::string& what) const;
    void check(int result, const std::string& what) const;

    std::string name_, driver_;
    int device_ = 0;
    size_t memory_ = 0;
    std::vector<void*> modules_;
    std::map<std::string, void*> functions_;
};
