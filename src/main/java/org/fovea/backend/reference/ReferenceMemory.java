// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fovea.backend.EagerSteps;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.Scope;
import org.jspecify.annotations.Nullable;

/** Memory of a device that is the heap of this process. */
final class ReferenceMemory implements Memory {
    private record Size(DType dtype, int length) {}

    private final DType floatType;
    private final Map<Size, Deque<ReferenceArray.Block>> free = new HashMap<>();
    private final Set<ReferenceArray.Block> lent = new HashSet<>();
    private long reservedBytes;
    private final String device;
    private final EagerSteps steps;
    private boolean closed;

    /**
     * @param device name of the backend, for messages
     * @param steps the captured steps that some calls have no place in
     */
    ReferenceMemory(String device, DType floatType, EagerSteps steps) {
        this.device = device;
        this.floatType = floatType;
        this.steps = steps;
    }

    @Override
    public DType floatType() {
        return floatType;
    }

    @Override
    public DeviceArray allocate(DType dtype, long length) {
        steps.refuse("allocate");
        ReferenceArray array = lend(dtype, length, true);
        Arrays.fill(array.block.data, 0);
        return array;
    }

    private ReferenceArray lend(DType dtype, long length, boolean releasable) {
        requireOpen();
        if (length < 0) {
            throw new IllegalArgumentException("allocate: length must not be negative: " + length);
        }
        int size = Math.toIntExact(length);
        ReferenceArray.Block block = free(dtype, size).pollFirst();
        if (block == null) {
            block = new ReferenceArray.Block(dtype, size);
            block.retire();
            reservedBytes += block.bytes();
        }
        lent.add(block);
        return new ReferenceArray(this, block, 0, size, releasable);
    }

    private void giveBack(ReferenceArray.Block block) {
        block.retire();
        lent.remove(block);
        free(block.dtype, block.data.length).addFirst(block);
    }

    private Deque<ReferenceArray.Block> free(DType dtype, int size) {
        return free.computeIfAbsent(new Size(dtype, size), key -> new ArrayDeque<>());
    }

    void release(ReferenceArray array) {
        steps.refuse("release");
        if (!array.releasable) {
            throw new IllegalStateException(
                    "release: a view or an array of a scope cannot be released; close its scope instead");
        }
        giveBack(use(array).block);
    }

    void requireOpen() {
        if (closed) {
            throw new IllegalStateException("backend " + device + " is closed");
        }
    }

    /** The array behind {@code array}, if it is one of this backend's and alive. */
    ReferenceArray use(DeviceArray array) {
        requireOpen();
        if (!(array instanceof ReferenceArray own) || own.owner != this) {
            throw new IllegalArgumentException("an array of another backend was given to " + device);
        }
        if (!own.isAlive()) {
            throw new IllegalStateException(
                    "an array of " + own.length() + " " + own.dtype() + " was used after its scope closed");
        }
        return own;
    }

    /** The one number behind {@code array}, or 0 where there is none. */
    int integerOrZero(@Nullable DeviceArray array) {
        return array == null ? 0 : use(array).integer(0);
    }

    @Override
    public Scope openScope() {
        requireOpen();
        Thread opener = Thread.currentThread();
        return new Scope() {
            private final List<ReferenceArray> arrays = new ArrayList<>();
            private boolean ended;

            @Override
            public DeviceArray allocate(DType dtype, long length) {
                if (ended) {
                    throw new IllegalStateException("allocate: the scope is closed");
                }
                if (Thread.currentThread() != opener) {
                    throw new IllegalStateException("allocate: the scope belongs to " + opener.getName());
                }
                ReferenceArray array = lend(dtype, length, false);
                arrays.add(array);
                return array;
            }

            @Override
            public void close() {
                ended = true;
                for (ReferenceArray array : arrays) {
                    if (array.isAlive()) {
                        giveBack(array.block);
                    }
                }
                arrays.clear();
            }
        };
    }

    @Override
    public void upload(float[] source, int offset, DeviceArray target) {
        ReferenceArray y = floats("upload", target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, source[offset + i]);
        }
    }

    @Override
    public void upload(double[] source, int offset, DeviceArray target) {
        ReferenceArray y = floats("upload", target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, source[offset + i]);
        }
    }

    @Override
    public void upload(int[] source, int offset, DeviceArray target) {
        ReferenceArray y = integers("upload", target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, source[offset + i]);
        }
    }

    @Override
    public void download(DeviceArray source, float[] target, int offset) {
        ReferenceArray x = floats("download", source);
        for (int i = 0; i < x.size(); i++) {
            target[offset + i] = (float) x.get(i);
        }
    }

    @Override
    public void download(DeviceArray source, double[] target, int offset) {
        ReferenceArray x = floats("download", source);
        for (int i = 0; i < x.size(); i++) {
            target[offset + i] = x.get(i);
        }
    }

    @Override
    public void download(DeviceArray source, int[] target, int offset) {
        ReferenceArray x = integers("download", source);
        for (int i = 0; i < x.size(); i++) {
            target[offset + i] = x.integer(i);
        }
    }

    @Override
    public void upload(ByteBuffer source, DeviceArray target) {
        steps.refuse("upload");
        ReferenceArray y = use(target);
        ByteBuffer bytes = OperandChecks.bytes(source, y);
        for (int i = 0; i < y.size(); i++) {
            y.set(
                    i,
                    switch (y.dtype()) {
                        case F32 -> bytes.getFloat(4 * i);
                        case F64 -> bytes.getDouble(8 * i);
                        case BF16, F16 -> HalfPrecision.value(y.dtype(), bytes.getShort(2 * i));
                        case I32 -> bytes.getInt(4 * i);
                    });
        }
    }

    @Override
    public void download(DeviceArray source, ByteBuffer target) {
        steps.refuse("download");
        ReferenceArray x = use(source);
        ByteBuffer bytes = OperandChecks.bytes(target, x);
        for (int i = 0; i < x.size(); i++) {
            switch (x.dtype()) {
                case F32 -> bytes.putFloat(4 * i, (float) x.get(i));
                case F64 -> bytes.putDouble(8 * i, x.get(i));
                case BF16, F16 -> bytes.putShort(2 * i, HalfPrecision.bits(x.dtype(), x.get(i)));
                case I32 -> bytes.putInt(4 * i, x.integer(i));
            }
        }
    }

    /** The array of a transfer between host and device. */
    private ReferenceArray floats(String operation, DeviceArray array) {
        steps.refuse(operation);
        if (!array.dtype().isFloating()) {
            throw new IllegalArgumentException(operation + ": the array is I32 but the host array is floating-point");
        }
        return use(array);
    }

    private ReferenceArray integers(String operation, DeviceArray array) {
        steps.refuse(operation);
        if (array.dtype() != DType.I32) {
            throw new IllegalArgumentException(
                    operation + ": the array is " + array.dtype() + " but the host array holds integers");
        }
        return use(array);
    }

    @Override
    public void copy(DeviceArray source, DeviceArray target) {
        OperandChecks.copy(source, target);
        ReferenceArray x = use(source);
        ReferenceArray y = use(target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, x.get(i));
        }
    }

    @Override
    public void fill(DeviceArray target, double value) {
        ReferenceArray y = use(target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, value);
        }
    }

    @Override
    public long liveBytes() {
        return lent.stream().mapToLong(ReferenceArray.Block::bytes).sum();
    }

    @Override
    public long reservedBytes() {
        return reservedBytes;
    }

    void close() {
        closed = true;
        lent.forEach(ReferenceArray.Block::retire);
        lent.clear();
        free.clear();
    }
}
