// What a program on the host gets wrong when it forgets to wait: the simulated driver must not hide it.
#include <gtest/gtest.h>

#include "../driver/results.h"

using Pointer = uintptr_t;

extern "C" {
Result cuInit(unsigned);
Result cuDevicePrimaryCtxRetain(void**, int);
Result cuDevicePrimaryCtxRelease_v2(int);
Result cuCtxSetCurrent(void*);
Result cuStreamCreate(void**, unsigned);
Result cuStreamSynchronize(void*);
Result cuMemAlloc_v2(Pointer*, size_t);
Result cuMemHostAlloc(void**, size_t, unsigned);
Result cuMemcpyHtoDAsync_v2(Pointer, const void*, size_t, void*);
Result cuMemcpyDtoHAsync_v2(void*, Pointer, size_t, void*);
Result cuMemsetD32Async(Pointer, unsigned, size_t, void*);
}

class PlantedSynchronization : public testing::Test {
  protected:
    void* stream;
    Pointer array;
    int* pinned;

    void SetUp() override {
        void* context;
        ASSERT_EQ(cuInit(0), SUCCESS);
        ASSERT_EQ(cuDevicePrimaryCtxRetain(&context, 0), SUCCESS);
        ASSERT_EQ(cuCtxSetCurrent(context), SUCCESS);
        ASSERT_EQ(cuStreamCreate(&stream, 1), SUCCESS);
        ASSERT_EQ(cuMemAlloc_v2(&array, sizeof(int)), SUCCESS);
        ASSERT_EQ(cuMemHostAlloc(reinterpret_cast<void**>(&pinned), sizeof(int), 0), SUCCESS);
    }

    void TearDown() override { cuDevicePrimaryCtxRelease_v2(0); }

    int on_device() {
        int value = 0;
        EXPECT_EQ(cuMemcpyDtoHAsync_v2(&value, array, sizeof value, stream), SUCCESS);  // into pageable memory: waits
        return value;
    }
};

TEST_F(PlantedSynchronization, PinnedMemoryReadBeforeSynchronizingIsOld) {
    *pinned = 1;
    ASSERT_EQ(cuMemsetD32Async(array, 2, 1, stream), SUCCESS);
    ASSERT_EQ(cuMemcpyDtoHAsync_v2(pinned, array, sizeof(int), stream), SUCCESS);
    EXPECT_EQ(*pinned, 1);
    ASSERT_EQ(cuStreamSynchronize(stream), SUCCESS);
    EXPECT_EQ(*pinned, 2);
}

TEST_F(PlantedSynchronization, PinnedMemoryOverwrittenInFlightArrivesOverwritten) {
    *pinned = 1;
    ASSERT_EQ(cuMemcpyHtoDAsync_v2(array, pinned, sizeof(int), stream), SUCCESS);
    *pinned = 2;
    EXPECT_EQ(on_device(), 2);
    ASSERT_EQ(cuMemcpyHtoDAsync_v2(array, pinned, sizeof(int), stream), SUCCESS);
    ASSERT_EQ(cuStreamSynchronize(stream), SUCCESS);
    *pinned = 3;
    EXPECT_EQ(on_device(), 2);
}

TEST_F(PlantedSynchronization, PageableMemoryMayBeOverwrittenAtOnce) {
    int value = 1;
    ASSERT_EQ(cuMemcpyHtoDAsync_v2(array, &value, sizeof value, stream), SUCCESS);
    value = 2;
    EXPECT_EQ(on_device(), 1);
}

TEST_F(PlantedSynchronization, AnotherStreamDoesNotWait) {
    void* other;
    ASSERT_EQ(cuStreamCreate(&other, 1), SUCCESS);
    ASSERT_EQ(cuMemsetD32Async(array, 1, 1, stream), SUCCESS);
    ASSERT_EQ(cuStreamSynchronize(stream), SUCCESS);
    ASSERT_EQ(cuMemsetD32Async(array, 2, 1, stream), SUCCESS);
    ASSERT_EQ(cuMemcpyDtoHAsync_v2(pinned, array, sizeof(int), other), SUCCESS);
    ASSERT_EQ(cuStreamSynchronize(other), SUCCESS);
    EXPECT_EQ(*pinned, 1);
}
