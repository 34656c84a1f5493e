// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** Dense arrays whose last axis varies fastest: their lengths and strides. */
public final class RowMajor {

    private RowMajor() {}

    /**
     * Elements of a dense array of the given extents.
     *
     * @throws ArithmeticException if there are more than a long can count
     */
    public static long size(int... shape) {
        long size = 1;
        for (int extent : shape) {
            size = Math.multiplyExact(size, (long) extent);
        }
        return size;
    }

    /** Strides of a dense array of the given extents. */
    public static int[] strides(int... shape) {
        int[] strides = new int[shape.length];
        int stride = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            strides[axis] = stride;
            stride *= shape[axis];
        }
        return strides;
    }
}
