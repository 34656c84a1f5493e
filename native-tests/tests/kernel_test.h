// Shared by the kernel tests: buffers with canaries, repeated launches, comparison with float64. The same tests run on the
// simulator and on a card: they see device memory through device(), host(), run() and launch() alone.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "../../kernels/attention/params.h"
#include "../../kernels/nn/params.h"
#include "../../kernels/rl/params.h"
#include "needed_barriers.h"
#include "test_device.h"

constexpr float NAN_F = std::numeric_limits<float>::quiet_NaN();
constexpr float INF_F = std::numeric_limits<float>::infinity();

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

    std::vector<float> normal(size_t count) {
        std::normal_distribution<float> distribution;
        std::vector<float> values(count);
        for (float& value : values) {
            value = distribution(random);
        }
        return values;
    }

    template <class T>
    std::vector<T> host(const T* array, size_t count) {
        std::vector<T> values(count);
        copy_to_host(values.data(), array, count * sizeof(T));
        return values;
    }

    // A stretch of device memory that a kernel writes.
    struct Output {
        float* address;
        size_t count;
    };

    // Launches once. Returns what went wrong, or an empty string.
    template <class P>
    std::string launch(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared, const P& params) {
        return launch_kernel(kernel, blocks, threads, shared, &params, sizeof(P));
    }

    // Launches several times, on the simulator with several orders of fibers; the outputs must be the same to the bit, and
    // no canary may be touched.
    template <class P>
    std::vector<std::vector<float>> run(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared,
                                        const P& params, const std::vector<Output>& outputs) {
        std::vector<std::vector<float>> before, first;
        for (const Output& output : outputs) {
            before.push_back(host(output.address, output.count));
        }
        const auto restore = [&](const std::vector<std::vector<float>>& contents) {
            for (size_t i = 0; i < outputs.size(); i++) {
                copy_to_device(outputs[i].address, contents[i].data(), outputs[i].count * sizeof(float));
            }
        };
        for (int turn = 0; turn < turns(); turn++) {
            restore(before);
            set_turn(turn);
            EXPECT_EQ(launch(kernel, blocks, threads, shared, params), "");
            EXPECT_EQ(memory.check_canaries(), "") << kernel;
            for (size_t i = 0; i < outputs.size(); i++) {
                const std::vector<float> result = host(outputs[i].address, outputs[i].count);
                if (first.size() == i) {
                    first.push_back(result);
                } else if (!result.empty()) {
                    EXPECT_EQ(memcmp(first[i].data(), result.data(), result.size() * sizeof(float)), 0)
                        << kernel << " depends on the order of its threads: a barrier is missing";
                }
            }
        }
        set_turn(0);
        take_out_barriers([&] {
            restore(before);
            return launch(kernel, blocks, threads, shared, params);
        });
        restore(first);
        return first;
    }

    template <class P>
    std::vector<float> run(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared, const P& params,
                           float* output, size_t count) {
        return run(kernel, blocks, threads, shared, params, {{output, count}})[0];
    }

    // |actual - expected| <= tolerance * (1 + |expected|), where NaN and infinities must match exactly.
    static void expect_close(float actual, double expected, double tolerance, const std::string& what) {
        if (std::isnan(expected)) {
            EXPECT_TRUE(std::isnan(actual)) << what << ": " << actual;
        } else if (std::isinf(expected)) {
            EXPECT_EQ(actual, expected) << what;
        } else {
            EXPECT_NEAR(actual, expected, tolerance * (1 + std::abs(expected))) << what;
        }
    }
};
