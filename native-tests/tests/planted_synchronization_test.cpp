// SPDX-License-Identifier: Apache-2.0
// Defects of a program on the host that forgets to wait, which the simulated driver must not hide.
#include "driver_fixture.h"

namespace {

class PlantedSynchronization : public DriverFixture {
  protected:
    const uintptr_t array = allocate(sizeof(int));
    int* const pinned = [] {
        void* memory = nullptr;
        EXPECT_EQ(cuMemHostAlloc(&memory, sizeof(int), 0), SUCCESS);
        return static_cast<int*>(memory);
    }();

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

}  // namespace
