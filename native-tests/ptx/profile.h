// SPDX-License-Identifier: Apache-2.0
// A file that gets a line of JSON per launch, with what was counted.
#pragma once
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "machine.h"

namespace ptx {

class Profile {
  public:
    // The file is written anew. With FOVEA_SIMULATOR_PROFILE_LINES=N each launch also tells of the N lines of the source with
    // most instructions. Throws Error if the file can't be written.
    explicit Profile(const std::string& path);

    void add(const std::string& kernel, Dim3 grid, Dim3 block, size_t shared_bytes, const Counters& counters);

  private:
    struct Close {
        void operator()(FILE* file) const { fclose(file); }
    };
    std::mutex mutex_;
    std::unique_ptr<FILE, Close> file_;
    size_t lines_;
};

// A line of it, without its end.
std::string json_of(const std::string& kernel, Dim3 grid, Dim3 block, size_t shared_bytes, const Counters& counters,
    size_t lines);

}  // namespace ptx
