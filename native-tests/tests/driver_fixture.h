// SPDX-License-Identifier: Apache-2.0
// The fixture of the tests of the simulated driver, which they call as JCuda does.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>

#include "../driver/results.h"

extern "C" {
Result cuInit(unsigned);
Result cuDevicePrimaryCtxRetain(void**, int);
Result cuDevicePrimaryCtxRelease_v2(int);
Result cuCtxSetCurrent(void*);
Result cuCtxSynchronize();
Result cuModuleLoadDataEx(void**, const void*, unsigned, int*, void**);
Result cuModuleGetFunction(void**, void*, const char*);
Result cuModuleGetGlobal_v2(uintptr_t*, size_t*, void*, const char*);
Result cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
Result cuMemAlloc_v2(uintptr_t*, size_t);
Result cuMemHostAlloc(void**, size_t, unsigned);
Result cuMemFree_v2(uintptr_t);
Result cuMemcpyHtoDAsync_v2(uintptr_t, const void*, size_t, void*);
Result cuMemcpyDtoHAsync_v2(void*, uintptr_t, size_t, void*);
Result cuMemcpyDtoDAsync_v2(uintptr_t, uintptr_t, size_t, void*);
Result cuMemcpyDtoH_v2(void*, uintptr_t, size_t);
Result cuMemsetD32Async(uintptr_t, unsigned, size_t, void*);
Result cuStreamCreate(void**, unsigned);
Result cuStreamSynchronize(void*);
Result cuStreamBeginCapture_v2(void*, int);
Result cuStreamEndCapture(void*, void**);
Result cuStreamIsCapturing(void*, int*);
Result cuThreadExchangeStreamCaptureMode(int*);
Result cuGraphGetNodes(void*, void**, size_t*);
Result cuGraphInstantiateWithFlags(void**, void*, unsigned long long);
Result cuGraphLaunch(void*, void*);
Result cuGraphExecDestroy(void*);
Result cuGraphDestroy(void*);
Result cuEventCreate(void**, unsigned);
Result cuEventRecord(void*, void*);
Result cuStreamWaitEvent(void*, void*, unsigned);
Result cuEventQuery(void*);
Result cuEventSynchronize(void*);
Result cuEventElapsedTime(float*, void*, void*);
Result cuEventDestroy_v2(void*);
}

class DriverFixture : public testing::Test {
  protected:
    void* stream = nullptr;

    DriverFixture() {
        void* context = nullptr;
        EXPECT_EQ(cuInit(0), SUCCESS);
        EXPECT_EQ(cuDevicePrimaryCtxRetain(&context, 0), SUCCESS);
        EXPECT_EQ(cuCtxSetCurrent(context), SUCCESS);
        EXPECT_EQ(cuStreamCreate(&stream, 1), SUCCESS);
    }

    ~DriverFixture() override { EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), SUCCESS); }

    static uintptr_t allocate(size_t bytes) {
        uintptr_t address = 0;
        EXPECT_EQ(cuMemAlloc_v2(&address, bytes), SUCCESS);
        return address;
    }
};
