// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import java.util.Objects;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/**
 * A run of elements of a {@link Block}. Kernels read the array of its type, {@link #floats}, {@link #ints}, {@link #doubles} or
 * {@link #shorts}, from {@link #offset}; the others are empty.
 */
public final class CpuArray implements DeviceArray {
    public final float[] floats;
    public final int[] ints;
    final double[] doubles;

    /** Bits of 16-bit floating numbers. */
    public final short[] shorts;

    public final int offset;
    public final int length;
    private final DType dtype;
    private final Lifetime lifetime;
    private final boolean view;

    public CpuArray(Block block, int offset, int length, Lifetime lifetime) {
        dtype = block.dtype;
        floats = block.floats;
        ints = block.ints;
        doubles = block.doubles;
        shorts = block.shorts;
        this.offset = offset;
        this.length = length;
        this.lifetime = lifetime;
        view = false;
    }

    private CpuArray(CpuArray whole, int from, int length) {
        dtype = whole.dtype;
        floats = whole.floats;
        ints = whole.ints;
        doubles = whole.doubles;
        shorts = whole.shorts;
        offset = whole.offset + from;
        this.length = length;
        lifetime = whole.lifetime;
        view = true;
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
        return new CpuArray(this, (int) from, (int) sliceLength);
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

    Lifetime lifetime() {
        return lifetime;
    }

    /** Whether the two share at least one element. */
    boolean overlaps(CpuArray other) {
        return elements() == other.elements() && offset < other.offset + other.length && other.offset < offset + length;
    }

    /** The Java array that holds the elements. */
    Object elements() {
        return switch (dtype) {
            case F32 -> floats;
            case I32 -> ints;
            case F64 -> doubles;
            case BF16, F16 -> shorts;
        };
    }

    /** Whether the two are the same elements. */
    private boolean coincides(CpuArray other) {
        return overlaps(other) && offset == other.offset && length == other.length;
    }

    /** Refuses an output that shares elements with an input. */
    public static void requireApart(String operation, String output, CpuArray out, String input, CpuArray in) {
        if (out.overlaps(in)) {
            throw new IllegalArgumentException(operation + ": output " + output + " overlaps input " + input);
        }
    }

    /** Refuses an output that shares elements with an input without being the very same. */
    public static void requireApartOrSame(String operation, String output, CpuArray out, String input, CpuArray in) {
        if (out.overlaps(in) && !out.coincides(in)) {
            throw new IllegalArgumentException(
                    operation + ": output " + output + " overlaps input " + input + " without being the same");
        }
    }

    @Override
    public String toString() {
        return dtype + "[" + length + "]" + (isAlive() ? "" : " (ended)");
    }
}
