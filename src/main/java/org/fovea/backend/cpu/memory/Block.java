// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import java.util.Arrays;
import org.fovea.backend.memory.DType;

/** One Java array that is carved into {@link CpuArray}s, and recycled whole. */
public final class Block {
    /** Elements to which starts of arrays are rounded: a cache line, and one AVX-512 vector. */
    public static final int ALIGNMENT = 16;

    /**
     * First element in use. An array of at least half a G1 region starts at its region's start, behind a header of 16
     * bytes: 12 elements of four bytes on, addresses are multiples of 64.
     */
    public static final int BASE = 12;

    /** Set in tests: memory that nobody wrote holds NaN and Integer.MIN_VALUE. */
    private static final boolean POISON = Boolean.getBoolean("fovea.poison");

    private static final float[] NO_FLOATS = {};
    private static final int[] NO_INTS = {};
    private static final double[] NO_DOUBLES = {};
    private static final short[] NO_SHORTS = {};

    final DType dtype;
    public final float[] floats;
    public final int[] ints;
    final double[] doubles;

    /** Bits of 16-bit floating numbers. */
    final short[] shorts;

    /** Usable elements, a multiple of {@link #ALIGNMENT}. */
    final int capacity;

    /** Who used it last and so may have it in cache. */
    Thread lastUser = Thread.currentThread();

    public Block(DType dtype, int capacity) {
        this.dtype = dtype;
        this.capacity = capacity;
        floats = dtype == DType.F32 ? new float[BASE + capacity] : NO_FLOATS;
        ints = dtype == DType.I32 ? new int[BASE + capacity] : NO_INTS;
        doubles = dtype == DType.F64 ? new double[BASE + capacity] : NO_DOUBLES;
        shorts = dtype.isHalf() ? new short[BASE + capacity] : NO_SHORTS;
        poison(capacity);
    }

    public static long align(long elements) {
        return (elements + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    long bytes() {
        return (long) capacity * dtype.bytes();
    }

    void clear() {
        Arrays.fill(floats, 0f);
        Arrays.fill(ints, 0);
        Arrays.fill(doubles, 0);
        Arrays.fill(shorts, (short) 0);
    }

    /** Where asked for, overwrites the first {@code used} elements with values that stand out wherever they are read. */
    void poison(int used) {
        if (!POISON) {
            return;
        }
        Arrays.fill(floats, 0, Math.min(floats.length, BASE + used), Float.NaN);
        Arrays.fill(ints, 0, Math.min(ints.length, BASE + used), Integer.MIN_VALUE);
        Arrays.fill(doubles, 0, Math.min(doubles.length, BASE + used), Double.NaN);
        // All bits set are a NaN in both 16-bit types.
        Arrays.fill(shorts, 0, Math.min(shorts.length, BASE + used), (short) -1);
    }
}
