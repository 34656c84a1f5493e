// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.UnsupportedOnBackendException;

/** Memory on the Java heap, and the arrays behind the operands of an operation. */
public final class CpuMemory implements Memory {
    private final BlockPool pool = new BlockPool();
    private final LongAdder liveBytes = new LongAdder();
    private final Lifetime lifetime = new Lifetime(null);
    private final RecordedSteps steps;

    /** @param steps the captured steps that some calls have no place in */
    public CpuMemory(RecordedSteps steps) {
        this.steps = steps;
    }

    @Override
    public DType floatType() {
        return DType.F32;
    }

    @Override
    public DeviceArray allocate(DType dtype, long length) {
        requireOpen();
        steps.refuse("allocate");
        if (length < 0) {
            throw new IllegalArgumentException("array length must not be negative: " + length);
        }
        Block block = pool.takeExact(dtype, Block.align(length));
        block.clear();
        long bytes = length * dtype.bytes();
        liveBytes.add(bytes);
        return new CpuArray(block, Block.BASE, (int) length, new Allocation(block, bytes));
    }

    @Override
    public Scope openScope() {
        requireOpen();
        RecordedSteps.Recording recording = steps.recording();
        return new CpuScope(recording == null ? pool : recording, liveBytes, lifetime);
    }

    /** What operations hand their work to. */
    public RecordedSteps steps() {
        return steps;
    }

    BlockPool pool() {
        return pool;
    }

    @Override
    public void upload(float[] source, int offset, DeviceArray target) {
        CpuArray to = floats("upload", target);
        Objects.checkFromIndexSize(offset, to.length, source.length);
        if (to.dtype() == DType.F32) {
            System.arraycopy(source, offset, to.floats, to.offset, to.length);
        } else {
            double[] wide = new double[to.length];
            for (int i = 0; i < to.length; i++) {
                wide[i] = source[offset + i];
            }
            Elements.write(wide, 0, to, 0, to.length);
        }
    }

    @Override
    public void upload(double[] source, int offset, DeviceArray target) {
        CpuArray to = floats("upload", target);
        Objects.checkFromIndexSize(offset, to.length, source.length);
        Elements.write(source, offset, to, 0, to.length);
    }

    @Override
    public void upload(int[] source, int offset, DeviceArray target) {
        CpuArray to = ints("upload", target);
        Objects.checkFromIndexSize(offset, to.length, source.length);
        System.arraycopy(source, offset, to.ints, to.offset, to.length);
    }

    @Override
    public void download(DeviceArray source, float[] target, int offset) {
        CpuArray from = floats("download", source);
        Objects.checkFromIndexSize(offset, from.length, target.length);
        if (from.dtype() == DType.F32) {
            System.arraycopy(from.floats, from.offset, target, offset, from.length);
        } else {
            for (int i = 0; i < from.length; i++) {
                target[offset + i] = (float) Elements.get(from, i);
            }
        }
    }

    @Override
    public void download(DeviceArray source, double[] target, int offset) {
        CpuArray from = floats("download", source);
        Objects.checkFromIndexSize(offset, from.length, target.length);
        Elements.read(from, 0, target, offset, from.length);
    }

    @Override
    public void download(DeviceArray source, int[] target, int offset) {
        CpuArray from = ints("download", source);
        Objects.checkFromIndexSize(offset, from.length, target.length);
        System.arraycopy(from.ints, from.offset, target, offset, from.length);
    }

    @Override
    public void upload(ByteBuffer source, DeviceArray target) {
        steps.refuse("upload");
        CpuArray to = hold(target);
        Elements.read(OperandChecks.bytes(source, to), to);
    }

    @Override
    public void download(DeviceArray source, ByteBuffer target) {
        steps.refuse("download");
        CpuArray from = hold(source);
        Elements.write(from, OperandChecks.bytes(target, from));
    }

    @Override
    public void copy(DeviceArray source, DeviceArray target) {
        OperandChecks.copy(source, target);
        CpuArray from = hold(source);
        CpuArray to = hold(target);
        steps.run(() -> Elements.convert(from, to));
    }

    @Override
    public void fill(DeviceArray target, double value) {
        CpuArray to = hold(target);
        if (steps.recording() == null) {
            Elements.fill(to, 0, to.length, value);
        } else {
            steps.run(() -> Elements.fill(to, 0, to.length, value));
        }
    }

    @Override
    public long liveBytes() {
        return liveBytes.sum();
    }

    @Override
    public long reservedBytes() {
        return pool.reservedBytes();
    }

    /** Ends every array and frees the memory. */
    public void close() {
        lifetime.end();
        pool.trim();
    }

    public void requireOpen() {
        if (!lifetime.alive()) {
            throw new IllegalStateException("the cpu backend is closed");
        }
    }

    /**
     * The array behind {@code array}, which must be of a CPU backend, alive, and of a type that all operations compute with.
     *
     * @throws UnsupportedOnBackendException for F64, BF16 and F16, which only transfers, casts and attention know
     */
    public CpuArray use(DeviceArray array) {
        CpuArray own = hold(array);
        if (own.dtype() != DType.F32 && own.dtype() != DType.I32) {
            throw new UnsupportedOnBackendException("cpu", "arithmetic on " + own.dtype() + " other than attention");
        }
        return own;
    }

    /** The array behind {@code array}, of any type, which must be of a CPU backend and alive. */
    public CpuArray hold(DeviceArray array) {
        if (!(array instanceof CpuArray own)) {
            throw new IllegalArgumentException("an array of another backend was given to cpu: " + array);
        }
        if (!own.isAlive()) {
            requireOpen();
            throw new IllegalStateException("array " + own + " is used after its scope was closed or it was released");
        }
        RecordedSteps.Recording recording = steps.recording();
        if (recording != null) {
            recording.uses(own.lifetime());
        }
        return own;
    }

    /** The array of a transfer between host and device. */
    private CpuArray floats(String operation, DeviceArray array) {
        steps.refuse(operation);
        OperandChecks.floating(operation, "the array", array);
        return hold(array);
    }

    private CpuArray ints(String operation, DeviceArray array) {
        steps.refuse(operation);
        OperandChecks.ints(operation, "the array", array, Math.toIntExact(array.length()));
        return use(array);
    }

    private final class Allocation extends Lifetime {
        private final Block block;
        private final long bytes;

        Allocation(Block block, long bytes) {
            super(lifetime);
            this.block = block;
            this.bytes = bytes;
        }

        @Override
        void release() {
            steps.refuse("release");
            if (!alive()) {
                throw new IllegalStateException("this array was released before, or its backend is closed");
            }
            end();
            block.poison(block.capacity);
            liveBytes.add(-bytes);
            pool.give(block);
        }
    }
}
