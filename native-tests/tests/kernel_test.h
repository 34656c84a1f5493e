// Shared by the kernel tests: buffers with canaries, launches in several fiber orders, comparison with float64.
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
#include "../cuda-on-cpu/simulator.h"
#include "../driver/device_memory.h"
#include "needed_barriers.h"

constexpr float NAN_F = std::numeric_limits<float>::quiet_NaN();
constexpr float INF_F = std::numeric_limits<float>::infinity();

class KernelTest : public testing::Test {
  protected:
    driver::DeviceMemory memory{size_t(1) << 30};
    std::mt19937 random{12345};

    template <class T>
    T* device(const std::vector<T>& values) {
        T* address = reinterpret_cast<T*>(memory.allocate(std::max<size_t>(1, values.size() * sizeof(T))));
        if (!values.empty()) {
            memcpy(address, values.data(), values.size() * sizeof(T));
        }
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
        return {array, array + count};
    }

    // A stretch of device memory that a kernel writes.
    struct Output {
        float* address;
        size_t count;
    };

    // Launches with every order of fibers; the outputs must be the same to the bit, and no canary may be touched. Tests
    // see device memory through this and host() alone, so that they also run on a device.
    template <class P>
    std::vector<std::vector<float>> run(const std::string& kernel, unsigned blocks, unsigned threads, size_t shared,
                                        const P& params, const std::vector<Output>& outputs) {
        const sim::Kernel* found = sim::find_kernel(kernel);
        EXPECT_NE(found, nullptr) << kernel;
        EXPECT_EQ(found->parameter_bytes, sizeof(P)) << kernel;
        std::vector<std::vector<float>> before, first;
        for (const Output& output : outputs) {
            before.push_back(host(output.address, output.count));
        }
        for (sim::Order order : {sim::Order::FORWARD, sim::Order::BACKWARD, sim::Order::SHUFFLED}) {
            for (size_t i = 0; i < outputs.size(); i++) {
                std::copy(before[i].begin(), before[i].end(), outputs[i].address);
            }
            sim::set_order(order, 7);
            EXPECT_EQ(sim::launch(*found, {blocks}, {threads}, shared, &params), "");
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
        sim::set_order(sim::Order::FORWARD);
        take_out_barriers([&] {
            for (size_t i = 0; i < outputs.size(); i++) {
                std::copy(before[i].begin(), before[i].end(), outputs[i].address);
            }
            return sim::launch(*found, {blocks}, {threads}, shared, &params);
        });
        for (size_t i = 0; i < outputs.size(); i++) {
            std::copy(first[i].begin(), first[i].end(), outputs[i].address);
        }
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
