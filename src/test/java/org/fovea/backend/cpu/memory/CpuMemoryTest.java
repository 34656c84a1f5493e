// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OutOfDeviceMemoryException;
import org.fovea.backend.memory.Scope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CpuMemoryTest {
    private final CpuBackend backend = new CpuBackend(new ScalarKernels(), 3);

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void allocatedArraysAreZeroEvenWhenRecycled() {
        DeviceArray first = backend.memory().allocate(DType.F32, 33);
        backend.memory().fill(first, 7);
        first.release();
        float[] contents = new float[33];
        backend.memory().download(backend.memory().allocate(DType.F32, 33), contents, 0);
        assertThat(contents).containsOnly(0f);
    }

    @Test
    void useAfterTheScopeClosedThrows() {
        DeviceArray y = backend.memory().allocate(DType.F32, 5);
        DeviceArray array;
        DeviceArray view;
        try (Scope scope = backend.memory().openScope()) {
            array = scope.allocate(DType.F32, 5);
            view = array.slice(1, 2);
            backend.memory().fill(array, 1);
            assertThat(view.isAlive()).isTrue();
        }
        assertThat(view.isAlive()).isFalse();
        assertThatThrownBy(() -> backend.math().map(UnaryOp.EXP, array, y))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("scope was closed");
    }

    @Test
    void closingAScopeTwiceDoesNotCloseItsSuccessor() {
        Scope first = backend.memory().openScope();
        first.allocate(DType.F32, 5);
        first.close();
        try (Scope second = backend.memory().openScope()) {
            DeviceArray array = second.allocate(DType.F32, 5);
            first.close();
            assertThat(array.isAlive()).isTrue();
            assertThatThrownBy(() -> first.allocate(DType.F32, 1)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void memoryThatNobodyWroteIsPoisoned() {
        for (int repetition = 0; repetition < 2; repetition++) {
            try (Scope scope = backend.memory().openScope()) {
                float[] floats = new float[97];
                int[] ints = new int[97];
                DeviceArray floatArray = scope.allocate(DType.F32, 97);
                DeviceArray intArray = scope.allocate(DType.I32, 97);
                backend.memory().download(floatArray, floats, 0);
                backend.memory().download(intArray, ints, 0);
                assertThat(floats).containsOnly(Float.NaN);
                assertThat(ints).containsOnly(Integer.MIN_VALUE);
                backend.memory().fill(floatArray, 1);
                backend.memory().fill(intArray, 1);
            }
        }
    }

    @Test
    void arraysOfAScopeAreDistinctAndAligned() {
        try (Scope scope = backend.memory().openScope()) {
            List<CpuArray> arrays = new ArrayList<>();
            for (int length : new int[] {1, 0, 17, 600_000, 3, 300_000, 2_000_000, 207, 900_000, 16}) {
                CpuArray array = (CpuArray) scope.allocate(DType.F32, length);
                assertThat(array.offset % Block.ALIGNMENT).isEqualTo(Block.BASE);
                assertThat(array.offset + array.length).isLessThanOrEqualTo(array.floats.length);
                for (CpuArray other : arrays) {
                    assertThat(array.overlaps(other)).isFalse();
                }
                arrays.add(array);
            }
        }
    }

    @Test
    void reservedMemoryStopsGrowingAfterTheFirstIteration() {
        long reserved = 0;
        for (int iteration = 0; iteration < 5; iteration++) {
            try (Scope outer = backend.memory().openScope()) {
                outer.allocate(DType.F32, 3_000_000);
                for (int step = 0; step < 3; step++) {
                    try (Scope inner = backend.memory().openScope()) {
                        inner.allocate(DType.F32, 100_000);
                        inner.allocate(DType.I32, 1_000);
                        inner.allocate(DType.F32, 700_000 + iteration);
                    }
                }
            }
            if (iteration == 0) {
                reserved = backend.memory().reservedBytes();
            }
            assertThat(backend.memory().reservedBytes()).isEqualTo(reserved);
            assertThat(backend.memory().liveBytes()).isZero();
        }
    }

    @Test
    void liveBytesCountWhatIsHeld() {
        DeviceArray array = backend.memory().allocate(DType.I32, 10);
        assertThat(backend.memory().liveBytes()).isEqualTo(40);
        try (Scope scope = backend.memory().openScope()) {
            scope.allocate(DType.F32, 100);
            assertThat(backend.memory().liveBytes()).isEqualTo(440);
            assertThat(backend.memory().reservedBytes()).isGreaterThanOrEqualTo(440);
        }
        assertThat(backend.memory().liveBytes()).isEqualTo(40);
        array.release();
        assertThat(backend.memory().liveBytes()).isZero();
    }

    @Test
    void shardsOpenScopesOfTheirOwn() {
        float[] sums = new float[16];
        backend.forEachShard(16, shard -> {
            try (Scope scope = backend.memory().openScope()) {
                DeviceArray array = scope.allocate(DType.F32, 1000);
                backend.memory().fill(array, shard);
                float[] contents = new float[1000];
                backend.memory().download(array, contents, 0);
                for (float element : contents) {
                    sums[shard] += element;
                }
            }
        });
        for (int shard = 0; shard < 16; shard++) {
            assertThat(sums[shard]).isEqualTo(1000f * shard);
        }
        assertThat(backend.memory().liveBytes()).isZero();
    }

    @Test
    void releaseIsForWholeAllocationsOnce() {
        DeviceArray array = backend.memory().allocate(DType.F32, 4);
        assertThatThrownBy(array.slice(0, 2)::release)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("view");
        array.release();
        assertThatThrownBy(array::release).isInstanceOf(IllegalStateException.class);
        try (Scope scope = backend.memory().openScope()) {
            DeviceArray scoped = scope.allocate(DType.F32, 4);
            assertThatThrownBy(scoped::release)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("scope");
        }
    }

    @Test
    void aClosedBackendRefusesWork() {
        DeviceArray array = backend.memory().allocate(DType.F32, 4);
        backend.close();
        backend.close();
        assertThatThrownBy(() -> backend.memory().fill(array, 0))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
        assertThatThrownBy(() -> backend.memory().allocate(DType.F32, 1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void memoryThatCannotBeHadIsNamedAndTheBackendGoesOn() {
        assertThatThrownBy(() -> backend.memory().allocate(DType.F32, 1L << 40))
                .isInstanceOf(OutOfDeviceMemoryException.class)
                .hasMessageContaining("cpu");
        backend.memory().fill(backend.memory().allocate(DType.F32, 4), 1);
    }
}
