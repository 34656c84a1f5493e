// SPDX-License-Identifier: Apache-2.0
// The stand-in driver with kernels from PTX: what an image holds, how it is launched, which memory counts as written.
#include <cstring>
#include <string>
#include <vector>

#include "driver_fixture.h"

extern "C" {
Result cuGetErrorString(Result, const char**);
Result cuMemcpyHtoD_v2(uintptr_t, const void*, size_t);
Result cuFuncSetAttribute(void*, int, int);
}

namespace {

// y[i] = x[i] + 1 for the threads of one block
const char* const PLUS_ONE = R"(.version 7.0
.target sm_80
.address_size 64
.visible .entry plus_one(.param .align 8 .b8 plus_one_param_0[16])
{
    .reg .b32 %r<4>;
    .reg .b64 %rd<8>;
    ld.param.u64 %rd1, [plus_one_param_0];
    ld.param.u64 %rd2, [plus_one_param_0+8];
    cvta.to.global.u64 %rd3, %rd1;
    cvta.to.global.u64 %rd4, %rd2;
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd5, %r1, 4;
    add.s64 %rd6, %rd3, %rd5;
    add.s64 %rd7, %rd4, %rd5;
    ld.global.u32 %r2, [%rd6];
    add.s32 %r3, %r2, 1;
    st.global.u32 [%rd7], %r3;
    ret;
}
)";

void steer(const char* kernels) {
    uintptr_t global = 0;
    char text[16] = {};
    strncpy(text, kernels, sizeof text - 1);
    ASSERT_EQ(cuModuleGetGlobal_v2(&global, nullptr, nullptr, "simulator_kernels"), SUCCESS);
    ASSERT_EQ(cuMemcpyHtoD_v2(global, text, sizeof text), SUCCESS);
}

// Before the fixture retains the primary context, which is when the driver decides.
struct FromPtx {
    FromPtx() { steer("ptx"); }
    ~FromPtx() { steer("source"); }
};

class PtxDriver : FromPtx, public DriverFixture {
  protected:
    static constexpr int COUNT = 40;
    const uintptr_t x = allocate(COUNT * 4), y = allocate(COUNT * 4);
    struct Params {
        uintptr_t x, y;
    };

    void* load(const char* name, Result expected = SUCCESS) {
        void *module = nullptr, *function = nullptr;
        EXPECT_EQ(cuModuleLoadDataEx(&module, PLUS_ONE, 0, nullptr, nullptr), SUCCESS);
        EXPECT_EQ(cuModuleGetFunction(&function, module, name), expected);
        return function;
    }

    Result plus_one(uintptr_t from, uintptr_t to, int threads = COUNT) {
        Params params{from, to};
        void* parameters[] = {&params};
        EXPECT_EQ(cuLaunchKernel(load("plus_one"), 1, 1, 1, unsigned(threads), 1, 1, 0, stream, parameters, nullptr), SUCCESS);
        params = {};  // copied at the launch
        return cuStreamSynchronize(stream);
    }

    void fill(uintptr_t array, unsigned value, size_t count = COUNT) {
        ASSERT_EQ(cuMemsetD32Async(array, value, count, stream), SUCCESS);
    }

    std::vector<unsigned> read(uintptr_t array) {
        std::vector<unsigned> values(COUNT);
        EXPECT_EQ(cuMemcpyDtoHAsync_v2(values.data(), array, COUNT * 4, stream), SUCCESS);
        return values;
    }

    static std::string words(Result result) {
        const char* text = "";
        EXPECT_EQ(cuGetErrorString(result, &text), SUCCESS);
        return text;
    }
};

TEST_F(PtxDriver, RunsTheImagesKernel) {
    fill(x, 41);
    EXPECT_EQ(plus_one(x, y), SUCCESS);
    EXPECT_EQ(read(y), std::vector<unsigned>(COUNT, 42));
    load("minus_one", NOT_FOUND);
    load("iota", NOT_FOUND);  // linked in, and not in the image
}

TEST_F(PtxDriver, KnowsWhatWasWritten) {
    EXPECT_EQ(plus_one(x, y), LAUNCH_FAILED) << "nothing was";
    EXPECT_NE(words(LAUNCH_FAILED).find("plus_one"), std::string::npos) << words(LAUNCH_FAILED);
}

TEST_F(PtxDriver, KnowsWhatWasWrittenInPart) {
    fill(x, 1, COUNT - 1);
    EXPECT_EQ(plus_one(x, y, COUNT - 1), SUCCESS);
    EXPECT_EQ(plus_one(x, y, COUNT), LAUNCH_FAILED);
}

TEST_F(PtxDriver, CopiesWriteWhatTheirSourceHas) {
    const std::vector<unsigned> values(COUNT, 7);
    ASSERT_EQ(cuMemcpyHtoDAsync_v2(x, values.data(), 20 * 4, stream), SUCCESS);
    ASSERT_EQ(cuMemcpyDtoDAsync_v2(y, x, COUNT * 4, stream), SUCCESS);
    EXPECT_EQ(plus_one(y, y, 20), SUCCESS);
    EXPECT_EQ(read(y)[19], 8u);
    EXPECT_EQ(plus_one(y, y, 21), LAUNCH_FAILED);
}

TEST_F(PtxDriver, WhatAKernelWroteIsWritten) {
    fill(x, 1);
    EXPECT_EQ(plus_one(x, y), SUCCESS);
    EXPECT_EQ(plus_one(y, x), SUCCESS);
    EXPECT_EQ(read(x)[0], 3u);
}

TEST_F(PtxDriver, FreedMemoryIsNobodys) {
    fill(x, 1);
    ASSERT_EQ(cuStreamSynchronize(stream), SUCCESS);
    ASSERT_EQ(cuMemFree_v2(x), SUCCESS);
    EXPECT_EQ(plus_one(x, y), LAUNCH_FAILED);
}

TEST_F(PtxDriver, RefusesImagesWithoutPtx) {
    void* module = nullptr;
    const char empty[17] = "\x50\xED\x55\xBA\x01\0\x10\0\0\0\0\0\0\0\0\0";
    EXPECT_EQ(cuModuleLoadDataEx(&module, empty, 0, nullptr, nullptr), NO_BINARY_FOR_GPU);
    EXPECT_EQ(words(NO_BINARY_FOR_GPU), "the image has no PTX, which is what the simulator is to run");
    EXPECT_EQ(cuModuleLoadDataEx(&module, "not an image at all", 0, nullptr, nullptr), INVALID_IMAGE);
    EXPECT_EQ(cuModuleLoadDataEx(&module, ".version 7.0\n.target sm_80\n.visible .entry broken(", 0, nullptr, nullptr), INVALID_PTX);
    EXPECT_NE(words(INVALID_PTX), "CUDA_ERROR_INVALID_PTX");
}

TEST_F(PtxDriver, LimitsAreTheSame) {
    fill(x, 1);
    void* const function = load("plus_one");
    Params params{x, y};
    void* parameters[] = {&params};
    const auto launch = [&](unsigned threads, unsigned shared) {
        return cuLaunchKernel(function, 1, 1, 1, threads, 1, 1, shared, stream, parameters, nullptr);
    };
    EXPECT_EQ(launch(1025, 0), INVALID_VALUE);
    EXPECT_EQ(launch(32, 48 * 1024 + 1), INVALID_VALUE);
    EXPECT_EQ(cuFuncSetAttribute(function, 8, 64 * 1024), SUCCESS);
    EXPECT_EQ(launch(32, 64 * 1024), SUCCESS);
    EXPECT_EQ(cuFuncSetAttribute(function, 8, 100 * 1024), INVALID_VALUE);
    EXPECT_EQ(cuStreamSynchronize(stream), SUCCESS);
}

TEST(PtxDriverChoice, RefusesOtherWords) {
    steer("sass");
    void* context = nullptr;
    EXPECT_EQ(cuInit(0), SUCCESS);
    EXPECT_EQ(cuDevicePrimaryCtxRetain(&context, 0), INVALID_VALUE);
    const char* text = "";
    EXPECT_EQ(cuGetErrorString(INVALID_VALUE, &text), SUCCESS);
    EXPECT_STREQ(text, "the simulator runs kernels from ptx or source (FOVEA_SIMULATOR), nothing else");
    steer("source");
}

}  // namespace
