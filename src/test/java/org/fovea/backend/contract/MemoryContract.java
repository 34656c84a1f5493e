// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.fovea.backend.Backend;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Arrays, scopes, transfers and shards. */
interface MemoryContract extends ContractFixture {

    /** Lengths around the widths of vectors, warps and tiles. */
    int[] AWKWARD = {1, 2, 3, 5, 6, 13, 17, 31, 33, 97, 207};

    private double[] download(DeviceArray array) {
        double[] values = new double[(int) array.length()];
        tested().memory().download(array, values, 0);
        return values;
    }

    @Test
    default void allocatedArraysAreZeroEvenWhenRecycled() {
        Backend b = tested();
        for (DType dtype : new DType[] {b.memory().floatType(), DType.I32}) {
            for (int round = 0; round < 3; round++) {
                DeviceArray array = b.memory().allocate(dtype, 97);
                double sum = dtype.isFloating()
                        ? Arrays.stream(download(array)).map(Math::abs).sum()
                        : Arrays.stream(integers(array)).map(Math::abs).sum();
                assertThat(sum).as("%s round %d", dtype, round).isZero();
                b.memory().fill(array, 7);
                array.release();
            }
        }
    }

    private int[] integers(DeviceArray array) {
        int[] values = new int[(int) array.length()];
        tested().memory().download(array, values, 0);
        return values;
    }

    @Test
    default void transfersConvertBetweenFloatingTypesAndRespectOffsets() {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            DeviceArray array = scope.allocate(b.memory().floatType(), 3);
            b.memory().upload(new double[] {9, 0.1, Double.NaN, Double.NEGATIVE_INFINITY, 9}, 1, array);
            float[] floats = new float[5];
            b.memory().download(array, floats, 2);
            assertThat(floats).containsExactly(0, 0, 0.1f, Float.NaN, Float.NEGATIVE_INFINITY);
            b.memory().upload(new float[] {9, 9, 0.1f, -0f, Float.MAX_VALUE}, 2, array);
            double[] doubles = new double[4];
            b.memory().download(array, doubles, 1);
            assertThat(doubles).containsExactly(0, 0.1f, -0.0, Float.MAX_VALUE);

            DeviceArray integers = scope.allocate(DType.I32, 3);
            b.memory().upload(new int[] {9, Integer.MIN_VALUE, 16777217, Integer.MAX_VALUE}, 1, integers);
            int[] back = new int[4];
            b.memory().download(integers, back, 1);
            assertThat(back).containsExactly(0, Integer.MIN_VALUE, 16777217, Integer.MAX_VALUE);
        }
    }

    /** Elements as they lie in memory, of every type that the backend has, in heap buffers and direct ones. */
    @Test
    default void buffersHoldElementsAsTheyLie() {
        Memory memory = tested().memory();
        for (DType type : DType.values()) {
            try (Scope scope = memory.openScope()) {
                DeviceArray array;
                try {
                    array = scope.allocate(type, 7);
                } catch (UnsupportedOnBackendException none) {
                    continue;
                }
                // No NaN in any type, and rounded to every type already.
                byte[] pattern = new byte[7 * type.bytes()];
                for (int i = 0; i < pattern.length; i++) {
                    pattern[i] = (byte) (i % type.bytes() < type.bytes() / 2 && type.bytes() > 4 ? 0 : 0x31 + i % 8);
                }
                for (ByteBuffer buffer : List.of(
                        ByteBuffer.allocate(pattern.length + 5),
                        ByteBuffer.allocateDirect(pattern.length + 5),
                        ByteBuffer.allocateDirect(pattern.length + 5).order(ByteOrder.BIG_ENDIAN))) {
                    memory.fill(array, 3);
                    memory.upload(buffer.put(3, pattern).position(3), array);
                    assertThat(buffer.position()).isEqualTo(3);
                    buffer.put(3, new byte[pattern.length]);
                    memory.download(array, buffer);
                    byte[] found = new byte[pattern.length];
                    buffer.get(3, found);
                    assertThat(found).as("%s", type).containsExactly(pattern);
                    assertThat(buffer.get(0) | buffer.get(pattern.length + 3)).isZero();
                    buffer.position(6);
                    assertThatThrownBy(() -> memory.upload(buffer, array))
                            .isInstanceOf(IndexOutOfBoundsException.class)
                            .hasMessageContaining(Integer.toString(buffer.remaining()))
                            .hasMessageContaining("7 elements of " + type);
                    assertThatThrownBy(() -> memory.download(array, buffer))
                            .isInstanceOf(IndexOutOfBoundsException.class);
                }
            }
        }
    }

    @Test
    default void largeBuffersArriveWhole() {
        Memory memory = tested().memory();
        int length = 3_000_001;
        ByteBuffer buffer = ByteBuffer.allocateDirect(4 * length).order(ByteOrder.nativeOrder());
        for (int i = 0; i < length; i++) {
            buffer.putInt(4 * i, i * 7);
        }
        try (Scope scope = memory.openScope()) {
            DeviceArray array = scope.allocate(DType.I32, length);
            memory.upload(buffer, array);
            ByteBuffer back = ByteBuffer.allocateDirect(4 * length);
            memory.download(array, back);
            assertThat(back).isEqualTo(buffer);
        }
    }

    @Test
    default void transfersOfTheWrongKindAreRefused() {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            DeviceArray floats = scope.allocate(b.memory().floatType(), 4);
            DeviceArray integers = scope.allocate(DType.I32, 4);
            assertThatThrownBy(() -> b.memory().upload(new int[4], 0, floats))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> b.memory().upload(new float[4], 0, integers))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> b.memory().download(floats, new int[4], 0))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> b.memory().download(integers, new double[4], 0))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> b.memory().upload(new float[4], 1, floats))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> b.memory().download(floats, new float[3], 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    default void slicesShareMemoryAndStayInside() {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            DeviceArray array = scope.allocate(b.memory().floatType(), 10);
            b.math().iota(0, 1, array);
            DeviceArray inner = array.slice(2, 6).slice(1, 3);
            assertThat(download(inner)).containsExactly(3, 4, 5);
            b.memory().fill(inner, -1);
            assertThat(download(array)).containsExactly(0, 1, 2, -1, -1, -1, 6, 7, 8, 9);
            assertThat(array.slice(10, 0).length()).isZero();
            assertThatThrownBy(() -> array.slice(8, 3)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> array.slice(-1, 3)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> inner.slice(0, 4)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    default void arraysEndWithTheirScope() {
        Backend b = tested();
        DeviceArray dead;
        DeviceArray deadView;
        try (Scope outer = b.memory().openScope()) {
            DeviceArray survivor = outer.allocate(b.memory().floatType(), 33);
            b.memory().fill(survivor, 5);
            try (Scope inner = b.memory().openScope()) {
                dead = inner.allocate(b.memory().floatType(), 33);
                deadView = dead.slice(1, 32);
                assertThat(dead.isAlive()).isTrue();
            }
            assertThat(dead.isAlive()).isFalse();
            assertThat(deadView.isAlive()).isFalse();
            DeviceArray recycled = outer.allocate(b.memory().floatType(), 33);
            b.memory().fill(recycled, 6);
            assertThat(dead.isAlive()).as("revived by recycling").isFalse();
            assertThatThrownBy(() -> b.memory().fill(dead, 1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> b.memory().fill(deadView, 1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> b.memory().copy(survivor, dead)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> b.memory().download(dead, new float[33], 0))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> b.memory().upload(new float[33], 0, dead))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> b.math().map(UnaryOp.EXP, dead, survivor))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() ->
                            b.math().gemm(Gemm.dense(false, false, 1, 1, 33), survivor, dead, recycled.slice(0, 1)))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(download(survivor)).containsOnly(5);
            assertThat(download(recycled)).containsOnly(6);
        }
    }

    @Test
    default void scopesAndReleaseRefuseMisuse() {
        Backend b = tested();
        Scope scope = b.memory().openScope();
        DeviceArray scoped = scope.allocate(b.memory().floatType(), 3);
        assertThatThrownBy(scoped::release).isInstanceOf(IllegalStateException.class);
        scope.close();
        scope.close();
        assertThatThrownBy(() -> scope.allocate(b.memory().floatType(), 3)).isInstanceOf(IllegalStateException.class);
        DeviceArray owned = b.memory().allocate(b.memory().floatType(), 3);
        DeviceArray view = owned.slice(0, 2);
        assertThatThrownBy(view::release).isInstanceOf(IllegalStateException.class);
        owned.release();
        assertThat(view.isAlive()).isFalse();
        assertThatThrownBy(owned::release).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> b.memory().fill(owned, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    default void bytesAreCountedAndMemoryIsRecycled() {
        Backend b = tested();
        DeviceArray array = b.memory().allocate(b.memory().floatType(), 1000);
        assertThat(b.memory().liveBytes())
                .isGreaterThanOrEqualTo(1000L * b.memory().floatType().bytes());
        array.release();
        assertThat(b.memory().liveBytes()).isZero();
        long reserved = 0;
        for (int step = 0; step < 5; step++) {
            try (Scope scope = b.memory().openScope()) {
                for (int length : AWKWARD) {
                    b.memory().fill(scope.allocate(b.memory().floatType(), length), step);
                    b.memory().fill(scope.allocate(DType.I32, 10 * length), step);
                }
            }
            if (step == 0) {
                reserved = b.memory().reservedBytes();
            }
            assertThat(b.memory().reservedBytes()).as("after step %d", step).isEqualTo(reserved);
        }
    }

    @Test
    default void copyAndFillWriteTheWholeArrayAndNothingElse() {
        for (int length : AWKWARD) {
            try (Pair p = pair()) {
                Pair.Both x = p.floats(Pair.normal(length, length));
                Pair.Both y = p.output(length);
                p.run(b -> b.memory().copy(x.on(b), y.on(b)));
                y.isExact("copy");
                p.run(b -> b.memory().fill(y.on(b), 0.1));
                y.isWithin(0.1, "fill");
                Pair.Both i = p.integerOutput(length);
                p.run(b -> b.memory().fill(i.on(b), -3));
                i.isSameIntegers("fill");
                Pair.Both j = p.integerOutput(length);
                p.run(b -> b.memory().copy(i.on(b), j.on(b)));
                j.isSameIntegers("copy");
            }
        }
    }

    @Test
    default void aClosedBackendRefusesWork() {
        Backend b = open();
        DeviceArray array = b.memory().allocate(b.memory().floatType(), 3);
        b.close();
        b.close();
        assertThatThrownBy(() -> b.memory().fill(array, 1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> b.memory().allocate(b.memory().floatType(), 3))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(b.memory()::openScope).isInstanceOf(IllegalStateException.class);
    }

    @Test
    default void everyShardRunsOnceWithScopesOfItsOwn() {
        Backend b = tested();
        assertThat(b.shards(1)).isEqualTo(1);
        for (int units : AWKWARD) {
            assertThat(b.shards(units)).isBetween(1, units);
        }
        int count = 13;
        AtomicIntegerArray runs = new AtomicIntegerArray(count);
        double[] sums = new double[count];
        b.forEachShard(count, shard -> {
            runs.incrementAndGet(shard);
            try (Scope scope = b.memory().openScope()) {
                DeviceArray x = scope.allocate(b.memory().floatType(), 97);
                DeviceArray sum = scope.allocate(b.memory().floatType(), 1);
                b.memory().fill(x, shard);
                b.math().reduce(ReduceOp.SUM, 1, 97, 1, x, sum);
                double[] result = new double[1];
                b.memory().download(sum, result, 0);
                sums[shard] = result[0];
            }
        });
        for (int shard = 0; shard < count; shard++) {
            assertThat(runs.get(shard)).isEqualTo(1);
            assertThat(sums[shard]).isEqualTo(97.0 * shard);
        }
    }

    @Test
    default void aShardsFailureIsThrownAfterAllHaveEnded() {
        Backend b = tested();
        AtomicIntegerArray runs = new AtomicIntegerArray(7);
        assertThatThrownBy(() -> b.forEachShard(7, shard -> {
                    runs.incrementAndGet(shard);
                    if (shard == 3) {
                        throw new ArithmeticException("shard three");
                    }
                }))
                .isInstanceOf(ArithmeticException.class)
                .hasMessage("shard three");
        for (int shard = 0; shard < 7; shard++) {
            assertThat(runs.get(shard)).isEqualTo(1);
        }
        b.forEachShard(2, shard -> runs.incrementAndGet(shard));
        assertThat(runs.get(0)).isEqualTo(2);
    }
}
