package org.fovea.backend.cpu;

import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Memory;
import org.fovea.backend.Scope;
import org.fovea.backend.ShapeException;

/** Memory on the Java heap, and the checks that every operation makes of its arrays. */
abstract class CpuMemory implements Memory {
    private final BlockPool pool = new BlockPool();
    private final LongAdder liveBytes = new LongAdder();
    private final Lifetime lifetime = new Lifetime(null);

    @Override
    public final DType floatType() {
        return DType.F32;
    }

    @Override
    public final DeviceArray allocate(DType dtype, long length) {
        requireOpen();
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
    public final Scope openScope() {
        requireOpen();
        return new CpuScope(pool, liveBytes, lifetime);
    }

    @Override
    public final void upload(float[] source, int offset, DeviceArray target) {
        CpuArray to = resolve("upload", "target", DType.F32, target);
        Objects.checkFromIndexSize(offset, to.length, source.length);
        System.arraycopy(source, offset, to.floats, to.offset, to.length);
    }

    @Override
    public final void upload(double[] source, int offset, DeviceArray target) {
        CpuArray to = resolve("upload", "target", DType.F32, target);
        Objects.checkFromIndexSize(offset, to.length, source.length);
        for (int i = 0; i < to.length; i++) {
            to.floats[to.offset + i] = (float) source[offset + i];
        }
    }

    @Override
    public final void upload(int[] source, int offset, DeviceArray target) {
        CpuArray to = resolve("upload", "target", DType.I32, target);
        Objects.checkFromIndexSize(offset, to.length, source.length);
        System.arraycopy(source, offset, to.ints, to.offset, to.length);
    }

    @Override
    public final void download(DeviceArray source, float[] target, int offset) {
        CpuArray from = resolve("download", "source", DType.F32, source);
        Objects.checkFromIndexSize(offset, from.length, target.length);
        System.arraycopy(from.floats, from.offset, target, offset, from.length);
    }

    @Override
    public final void download(DeviceArray source, double[] target, int offset) {
        CpuArray from = resolve("download", "source", DType.F32, source);
        Objects.checkFromIndexSize(offset, from.length, target.length);
        for (int i = 0; i < from.length; i++) {
            target[offset + i] = from.floats[from.offset + i];
        }
    }

    @Override
    public final void download(DeviceArray source, int[] target, int offset) {
        CpuArray from = resolve("download", "source", DType.I32, source);
        Objects.checkFromIndexSize(offset, from.length, target.length);
        System.arraycopy(from.ints, from.offset, target, offset, from.length);
    }

    @Override
    public final void copy(DeviceArray source, DeviceArray target) {
        CpuArray from = resolve("copy", "source", source.dtype(), source);
        CpuArray to = resolve("copy", "target", source.dtype(), target);
        if (from.length != to.length) {
            throw new ShapeException("copy", "source " + from + " and target " + to + " differ in length");
        }
        if (from.dtype() == DType.I32) {
            System.arraycopy(from.ints, from.offset, to.ints, to.offset, to.length);
        } else {
            System.arraycopy(from.floats, from.offset, to.floats, to.offset, to.length);
        }
    }

    @Override
    public final void fill(DeviceArray target, double value) {
        CpuArray to = resolve("fill", "target", target.dtype(), target);
        if (to.dtype() == DType.I32) {
            Arrays.fill(to.ints, to.offset, to.offset + to.length, (int) value);
        } else {
            Arrays.fill(to.floats, to.offset, to.offset + to.length, (float) value);
        }
    }

    @Override
    public final long liveBytes() {
        return liveBytes.sum();
    }

    @Override
    public final long reservedBytes() {
        return pool.reservedBytes();
    }

    /** Ends every array and frees the memory. */
    final void closeMemory() {
        lifetime.end();
        pool.trim();
    }

    final void requireOpen() {
        if (!lifetime.alive()) {
            throw new IllegalStateException("the cpu backend is closed");
        }
    }

    /** The array behind {@code array}, alive and of the given type. */
    final CpuArray resolve(String operation, String name, DType dtype, DeviceArray array) {
        if (!(array instanceof CpuArray resolved)) {
            throw new IllegalArgumentException(operation + ": " + name + " belongs to another backend ("
                    + array.getClass().getSimpleName() + ")");
        }
        if (!resolved.isAlive()) {
            requireOpen();
            throw new IllegalStateException(operation + ": " + name + " " + resolved
                    + " is used after its scope was closed or it was released");
        }
        if (resolved.dtype() != dtype) {
            throw new ShapeException(operation, name + " is " + resolved + ", expected elements of " + dtype);
        }
        return resolved;
    }

    /** The floating array behind {@code array}, which must hold exactly the product of {@code shape}. */
    final CpuArray floats(String operation, String name, DeviceArray array, int... shape) {
        return exact(operation, name, resolve(operation, name, DType.F32, array), shape);
    }

    /** The I32 array behind {@code array}, which must hold exactly the product of {@code shape}. */
    final CpuArray ints(String operation, String name, DeviceArray array, int... shape) {
        return exact(operation, name, resolve(operation, name, DType.I32, array), shape);
    }

    private static CpuArray exact(String operation, String name, CpuArray array, int... shape) {
        long expected = 1;
        for (int extent : shape) {
            if (extent < 0) {
                throw new ShapeException(operation, name + " has a negative extent: " + Arrays.toString(shape));
            }
            expected *= extent;
        }
        if (array.length != expected) {
            throw new ShapeException(
                    operation,
                    name + " is " + array + ", expected " + Arrays.toString(shape) + " = " + expected + " elements");
        }
        return array;
    }

    /** Refuses an output that shares elements with an input. */
    static void requireApart(String operation, String output, CpuArray out, String input, CpuArray in) {
        if (out.overlaps(in)) {
            throw new IllegalArgumentException(operation + ": output " + output + " overlaps input " + input);
        }
    }

    /** Refuses an output that shares elements with an input without being the very same. */
    static void requireApartOrSame(String operation, String output, CpuArray out, String input, CpuArray in) {
        if (out.overlaps(in) && !out.coincides(in)) {
            throw new IllegalArgumentException(
                    operation + ": output " + output + " overlaps input " + input + " without being the same");
        }
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
