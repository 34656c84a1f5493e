// SPDX-License-Identifier: Apache-2.0
// The fixture of the kernel tests: arrays in device memory, repeated launches, comparison with float64. The same tests run on
// the simulator and on a card, for they see device memory through this fixture alone.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "../../kernels/attention/params.h"
#include "../../kernels/env/params.h"
#include "../../kernels/nn/params.h"
#include "../../kernels/rl/params.h"
#include "../reference/series.h"
#include "../reference/storage.h"
#include "needed_barriers.h"
#include "test_device.h"

constexpr float NAN_F = std::numeric_limits<float>::quiet_NaN();
constexpr float INF_F = std::numeric_limits<float>::infinity();

inline const std::vector<Storage> ALL_STORAGES{Storage::F32, Storage::BF16, Storage::F16};

constexpr int64_t tiles(int64_t count, int64_t of) { return (count + of - 1) / of; }

// The blocks of a launch, their threads, and the bytes of their dynamic shared memory.
struct Grid {
    int64_t blocks;
    unsigned threads = 256;
    size_t shared = 0;
};

// An array in device memory. Where a pointer is wanted, its address.
struct Array {
    void* address = nullptr;
    size_t count = 0;
    Storage storage = Storage::F32;
    size_t bytes() const { return count * bytes_of(storage); }
    template <class T>
    operator T*() const {
        return static_cast<T*>(address);
    }
};

// A value, and how far from it a float may be.
struct Expected {
    double value, error = 0;
};

// With an error relative to 1 + |value|.
inline Expected near(double value, double tolerance) { return {value, tolerance * (1 + std::abs(value))}; }

// NaN and infinities must match exactly.
inline testing::AssertionResult is_close(float actual, const Expected& expected) {
    const auto& [value, error] = expected;
    const bool close = std::isnan(value)   ? std::isnan(actual)
                       : std::isinf(value) ? actual == value
                                           : std::abs(actual - value) <= error;
    return close ? testing::AssertionSuccess()
                 : testing::AssertionFailure() << actual << ", expected " << value << " within " << error;
}

// Of each element i: expected(i).
template <class F>
void expect_each(const std::vector<float>& actual, F expected, const std::string& what = "result") {
    int reported = 0;
    for (size_t i = 0; i < actual.size() && reported < 3; i++) {
        if (const auto close = is_close(actual[i], expected(i)); !close) {
            ADD_FAILURE() << what << " at " << i << ": " << close.message();
            reported++;
        }
    }
}

inline void expect_close(const std::vector<float>& actual, const std::vector<Expected>& expected, const std::string& what = "result") {
    ASSERT_EQ(actual.size(), expected.size()) << what;
    expect_each(actual, [&](size_t i) { return expected[i]; }, what);
}

class KernelTest : public testing::Test {
  protected:
    TestMemory memory;
    std::mt19937 random{12345};

    template <class T>
    T* device(const std::vector<T>& values) {
        T* address = reinterpret_cast<T*>(memory.allocate(std::max<size_t>(1, values.size() * sizeof(T))));
        copy_to_device(address, values.data(), values.size() * sizeof(T));
        return address;
    }

    Array stored(const std::vector<float>& values, Storage storage = Storage::F32) {
        std::vector<char> bytes(values.size() * bytes_of(storage));
        for (size_t i = 0; i < values.size(); i++) store(storage, bytes.data(), i, values[i]);
        return {device(bytes), values.size(), storage};
    }

    // Room for a result.
    Array unwritten(size_t count, Storage storage = Storage::F32) { return stored(std::vector<float>(count, NAN_F), storage); }

    template <class T>
    std::vector<T> host(const T* array, size_t count) {
        std::vector<T> values(count);
        copy_to_host(values.data(), array, count * sizeof(T));
        return values;
    }

    std::vector<float> values(const Array& array) {
        const std::vector<char> bytes = host<char>(array, array.bytes());
        std::vector<float> values(array.count);
        for (size_t i = 0; i < array.count; i++) values[i] = load(array.storage, bytes.data(), i);
        return values;
    }

    std::vector<float> normal(size_t count) {
        std::normal_distribution<float> distribution;
        std::vector<float> values(count);
        for (float& value : values) value = distribution(random);
        return values;
    }

    // Launches once. Returns what went wrong, or an empty string.
    template <class P>
    std::string launch(const std::string& kernel, const Grid& grid, const P& params) {
        return launch_kernel(kernel, unsigned(grid.blocks), grid.threads, grid.shared, &params, sizeof params);
    }

    // Launches several times, on the simulator with several orders of fibers; the results must be the same to the bit, and
    // no canary may be touched.
    template <class P>
    void run(const std::string& kernel, const Grid& grid, const P& params, const std::vector<Array>& results) {
        using Contents = std::vector<std::vector<char>>;
        const auto contents = [&] {
            Contents all;
            for (const Array& result : results) all.push_back(host<char>(result, result.bytes()));
            return all;
        };
        const auto restore = [&](const Contents& all) {
            for (size_t i = 0; i < results.size(); i++) copy_to_device(results[i], all[i].data(), all[i].size());
        };
        const Contents before = contents();
        Contents first;
        for (int turn = 0; turn < turns(); turn++) {
            restore(before);
            set_turn(turn);
            EXPECT_EQ(launch(kernel, grid, params), "");
            EXPECT_EQ(memory.check_canaries(), "") << kernel;
            if (turn == 0) {
                first = contents();
            } else {
                EXPECT_TRUE(first == contents()) << kernel << " depends on the order of its threads: a barrier is missing";
            }
        }
        set_turn(0);
        take_out_barriers([&] {
            restore(before);
            return launch(kernel, grid, params);
        });
        restore(first);
    }
};
