package org.fovea.backend.cpu;

import java.util.Objects;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;

/**
 * A run of elements of a {@link Block}. Kernels read {@link #floats} or {@link #ints} from {@link #offset}; the other of
 * the two is empty.
 */
final class CpuArray implements DeviceArray {
    final float[] floats;
    final int[] ints;
    final int offset;
    final int length;
    private final DType dtype;
    private final Lifetime lifetime;
    private final boolean view;

    CpuArray(Block block, int offset, int length, Lifetime lifetime) {
        this(block.dtype, block.floats, block.ints, offset, length, lifetime, false);
    }

    private CpuArray(DType dtype, float[] floats, int[] ints, int offset, int length, Lifetime lifetime, boolean view) {
        this.dtype = dtype;
        this.floats = floats;
        this.ints = ints;
        this.offset = offset;
        this.length = length;
        this.lifetime = lifetime;
        this.view = view;
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public DeviceArray slice(long from, long sliceLength) {
        Objects.checkFromIndexSize(from, sliceLength, length);
        return new CpuArray(dtype, floats, ints, offset + (int) from, (int) sliceLength, lifetime, true);
    }

    @Override
    public boolean isAlive() {
        return lifetime.alive();
    }

    @Override
    public void release() {
        if (view) {
            throw new IllegalStateException("a view can't be released; release the array it is a slice of");
        }
        lifetime.release();
    }

    /** Whether the two share at least one element. */
    boolean overlaps(CpuArray other) {
        boolean sameBlock = dtype == DType.I32 ? ints == other.ints : floats == other.floats;
        return sameBlock
                && dtype == other.dtype
                && offset < other.offset + other.length
                && other.offset < offset + length;
    }

    /** Whether the two are the same elements. */
    boolean coincides(CpuArray other) {
        return overlaps(other) && offset == other.offset && length == other.length;
    }

    @Override
    public String toString() {
        return dtype + "[" + length + "]" + (isAlive() ? "" : " (ended)");
    }
}
