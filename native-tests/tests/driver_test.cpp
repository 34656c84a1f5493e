// SPDX-License-Identifier: Apache-2.0
// Streams, captures, graphs and events of the simulated driver.
#include <cstring>
#include <thread>
#include <vector>

#include "../../kernels/nn/params.h"
#include "driver_fixture.h"

namespace {

enum { GLOBAL, THREAD_LOCAL, RELAXED };

class DriverTest : public DriverFixture {
  protected:
    static constexpr int COUNT = 7;
    const uintptr_t x = allocate(COUNT * sizeof(float)), y = allocate(COUNT * sizeof(float));

    static unsigned bits(float value) {
        unsigned word;
        memcpy(&word, &value, sizeof word);
        return word;
    }

    void fill(uintptr_t array, float value) { ASSERT_EQ(cuMemsetD32Async(array, bits(value), COUNT, stream), SUCCESS); }

    // y = start + i step, which changes its parameters after the launch
    void iota(double start, double step) {
        void *module, *function;
        ASSERT_EQ(cuModuleLoadDataEx(&module, "\x50\xED\x55\xBA\x01\0\x10\0\0\0\0\0\0\0\0", 0, nullptr, nullptr), SUCCESS);
        ASSERT_EQ(cuModuleGetFunction(&function, module, "iota"), SUCCESS);
        IotaParams params{reinterpret_cast<void*>(y), COUNT, start, step, 0};
        void* parameters[] = {&params};
        ASSERT_EQ(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr), SUCCESS);
        params.start = -1;
    }

    std::vector<float> read(uintptr_t array) {
        std::vector<float> values(COUNT);
        EXPECT_EQ(cuMemcpyDtoHAsync_v2(values.data(), array, COUNT * sizeof(float), stream), SUCCESS);
        return values;
    }

    void* end_capture(size_t nodes) {
        void *graph = nullptr, *executable = nullptr;
        size_t count = 0;
        EXPECT_EQ(cuStreamEndCapture(stream, &graph), SUCCESS);
        EXPECT_EQ(cuGraphGetNodes(graph, nullptr, &count), SUCCESS);
        EXPECT_EQ(count, nodes);
        EXPECT_EQ(cuGraphInstantiateWithFlags(&executable, graph, 0), SUCCESS);
        EXPECT_EQ(cuGraphDestroy(graph), SUCCESS);
        return executable;
    }

    int status() {
        int status = -1;
        EXPECT_EQ(cuStreamIsCapturing(stream, &status), SUCCESS);
        return status;
    }

    static int64_t alive() {
        uintptr_t address = 0;
        int64_t count = -1;
        EXPECT_EQ(cuModuleGetGlobal_v2(&address, nullptr, nullptr, "simulator_allocations"), SUCCESS);
        EXPECT_EQ(cuMemcpyDtoH_v2(&count, address, sizeof count), SUCCESS);
        return count;
    }

    // What ends the capture that the call under test has spoilt.
    void expect_invalidated() {
        void* graph = &graph;
        EXPECT_EQ(status(), 2);
        EXPECT_EQ(cuMemsetD32Async(x, 0, COUNT, stream), STREAM_CAPTURE_INVALIDATED);
        EXPECT_EQ(cuStreamEndCapture(stream, &graph), STREAM_CAPTURE_INVALIDATED);
        EXPECT_EQ(graph, nullptr);
        EXPECT_EQ(status(), 0);
    }
};

TEST_F(DriverTest, CaptureRunsNothingAndALaunchRunsAllOfIt) {
    fill(x, 1);
    fill(y, 2);
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(status(), 1);
    iota(3, 0.5);
    EXPECT_EQ(cuMemcpyDtoDAsync_v2(x, y, COUNT * sizeof(float), stream), SUCCESS);
    void* executable = end_capture(2);
    EXPECT_EQ(read(x), std::vector<float>(COUNT, 1));
    EXPECT_EQ(read(y), std::vector<float>(COUNT, 2));
    for (int launch = 0; launch < 3; launch++) {
        fill(x, 1);
        fill(y, 2);
        EXPECT_EQ(cuGraphLaunch(executable, stream), SUCCESS);
        EXPECT_EQ(read(x), (std::vector<float>{3, 3.5, 4, 4.5, 5, 5.5, 6}));
    }
    const int64_t before = alive();
    EXPECT_EQ(cuGraphLaunch(executable, stream), SUCCESS);
    EXPECT_EQ(cuGraphExecDestroy(executable), SUCCESS);  // the launch that waits still runs
    EXPECT_EQ(alive(), before - 1);
    EXPECT_EQ(cuGraphLaunch(executable, stream), INVALID_VALUE);
    EXPECT_EQ(cuStreamSynchronize(stream), SUCCESS);
}

TEST_F(DriverTest, WhatMayNotBeCapturedSpoilsTheCapture) {
    float pageable[COUNT] = {};
    void* graph;
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(stream), STREAM_CAPTURE_UNSUPPORTED);
    expect_invalidated();
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuCtxSynchronize(), STREAM_CAPTURE_UNSUPPORTED);
    expect_invalidated();
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuMemcpyHtoDAsync_v2(x, pageable, sizeof pageable, stream), STREAM_CAPTURE_UNSUPPORTED);
    expect_invalidated();
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuMemcpyDtoHAsync_v2(pageable, x, sizeof pageable, stream), STREAM_CAPTURE_UNSUPPORTED);
    expect_invalidated();
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), ILLEGAL_STATE);
    EXPECT_EQ(cuStreamBeginCapture_v2(nullptr, RELAXED), STREAM_CAPTURE_UNSUPPORTED);
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), ILLEGAL_STATE);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), SUCCESS);
}

TEST_F(DriverTest, AllocationDuringACaptureNeedsTheRelaxedMode) {
    uintptr_t more = 0;
    void* graph;
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuMemAlloc_v2(&more, 8), SUCCESS);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), SUCCESS);
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, THREAD_LOCAL), SUCCESS);
    int mode = RELAXED;
    EXPECT_EQ(cuThreadExchangeStreamCaptureMode(&mode), SUCCESS);
    EXPECT_EQ(mode, GLOBAL);
    EXPECT_EQ(cuMemFree_v2(more), SUCCESS);
    EXPECT_EQ(cuThreadExchangeStreamCaptureMode(&mode), SUCCESS);
    EXPECT_EQ(cuMemAlloc_v2(&more, 8), STREAM_CAPTURE_UNSUPPORTED);
    expect_invalidated();
}

TEST_F(DriverTest, ACaptureEndsOnItsThread) {
    void* graph;
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, THREAD_LOCAL), SUCCESS);
    std::thread([&] { EXPECT_EQ(cuStreamEndCapture(stream, &graph), STREAM_CAPTURE_WRONG_THREAD); }).join();
    EXPECT_EQ(status(), 1);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), SUCCESS);
}

TEST_F(DriverTest, EventsMarkTheWorkBeforeThem) {
    void *start, *end;
    float milliseconds = -1;
    ASSERT_EQ(cuEventCreate(&start, 0), SUCCESS);
    ASSERT_EQ(cuEventCreate(&end, 0), SUCCESS);
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, end), INVALID_HANDLE);
    EXPECT_EQ(cuEventRecord(start, stream), SUCCESS);
    fill(x, 1);
    EXPECT_EQ(cuEventRecord(end, stream), SUCCESS);
    EXPECT_EQ(cuEventQuery(end), NOT_READY);
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, end), NOT_READY);
    EXPECT_EQ(cuEventSynchronize(end), SUCCESS);
    EXPECT_EQ(cuEventQuery(end), SUCCESS);
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, end), SUCCESS);
    EXPECT_GE(milliseconds, 0);

    void* graph;
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuEventRecord(end, stream), SUCCESS);
    EXPECT_EQ(cuEventSynchronize(end), CAPTURED_EVENT);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), SUCCESS);
    EXPECT_EQ(cuEventDestroy_v2(start), SUCCESS);
    EXPECT_EQ(cuEventRecord(start, stream), INVALID_HANDLE);
}

TEST_F(DriverTest, AStreamWaitsForWhatAnEventMarkedThen) {
    void *other, *event, *graph;
    ASSERT_EQ(cuStreamCreate(&other, 1), SUCCESS);
    ASSERT_EQ(cuEventCreate(&event, 0), SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(other, event, 0), SUCCESS);  // never recorded: nothing to wait for
    fill(x, 1);
    EXPECT_EQ(cuEventRecord(event, stream), SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(other, event, 0), SUCCESS);
    EXPECT_EQ(cuMemcpyDtoDAsync_v2(y, x, COUNT * sizeof(float), other), SUCCESS);
    EXPECT_EQ(cuEventRecord(event, other), SUCCESS);  // the wait above is for the first mark still
    EXPECT_EQ(cuStreamWaitEvent(stream, event, 0), SUCCESS);
    fill(x, 2);
    std::vector<float> values(COUNT);
    EXPECT_EQ(cuMemcpyDtoHAsync_v2(values.data(), y, COUNT * sizeof(float), other), SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(other), SUCCESS);
    EXPECT_EQ(values, std::vector<float>(COUNT, 1));
    EXPECT_EQ(cuStreamSynchronize(stream), SUCCESS);

    // The same from the other end: who waits last is run first.
    fill(x, 3);
    EXPECT_EQ(cuEventRecord(event, stream), SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(other, event, 0), SUCCESS);
    EXPECT_EQ(cuMemcpyDtoDAsync_v2(y, x, COUNT * sizeof(float), other), SUCCESS);
    EXPECT_EQ(cuEventRecord(event, other), SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(stream, event, 0), SUCCESS);
    fill(x, 4);
    EXPECT_EQ(cuMemcpyDtoHAsync_v2(values.data(), y, COUNT * sizeof(float), stream), SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(stream), SUCCESS);
    EXPECT_EQ(values, std::vector<float>(COUNT, 3));

    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(stream, event, 0), STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(&other, event, 0), INVALID_HANDLE);
}

TEST_F(DriverTest, MemoryFreedUnderAGraphIsAnIllegalAddress) {
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, RELAXED), SUCCESS);
    fill(x, 1);
    void* executable = end_capture(1);
    EXPECT_EQ(cuMemFree_v2(x), SUCCESS);
    EXPECT_EQ(cuGraphLaunch(executable, stream), SUCCESS);
    EXPECT_EQ(cuStreamSynchronize(stream), ILLEGAL_ADDRESS);
    EXPECT_EQ(cuGraphLaunch(executable, stream), ILLEGAL_ADDRESS);
}

}  // namespace
