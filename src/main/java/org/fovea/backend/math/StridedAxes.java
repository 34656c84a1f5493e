// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import java.util.Arrays;
import org.fovea.backend.memory.OperandChecks;

/**
 * The axes of a strided operation on two arrays, as few as will do: those of extent 1 are left out, and neighbours along
 * which both arrays go on as if they were one axis are merged. A dense third array over the same shape goes on so everywhere.
 * One object may serve one operation after the other.
 */
public final class StridedAxes {
    private final int last;
    private final int[] shape;
    private final int[] first;
    private final int[] second;
    private int count;

    /** For operations of a backend, which have at most {@link OperandChecks#MAX_AXES} axes. */
    public StridedAxes() {
        this(OperandChecks.MAX_AXES);
    }

    private StridedAxes(int most) {
        last = most - 1;
        shape = new int[most];
        first = new int[most];
        second = new int[most];
    }

    /** The axes of {@code extents} and no more, but at least one. */
    public static StridedAxes of(int[] extents, int[] firstStrides, int[] secondStrides) {
        StridedAxes all = new StridedAxes(Math.max(1, extents.length));
        all.set(extents, firstStrides, secondStrides);
        StridedAxes few = new StridedAxes(Math.max(1, all.count));
        few.set(all.shape, all.first, all.second);
        return few;
    }

    /** Makes these the axes of {@code extents}, outermost first, with the strides of the two arrays. */
    public void set(int[] extents, int[] firstStrides, int[] secondStrides) {
        Arrays.fill(shape, 1);
        Arrays.fill(first, 0);
        Arrays.fill(second, 0);
        count = 0;
        for (int axis = extents.length - 1; axis >= 0; axis--) {
            if (extents[axis] != 1) {
                add(extents[axis], firstStrides[axis], secondStrides[axis]);
            }
        }
    }

    private void add(int extent, int firstStride, int secondStride) {
        int inner = last - count + 1;
        boolean merges = count > 0
                && firstStride == (long) first[inner] * shape[inner]
                && secondStride == (long) second[inner] * shape[inner]
                && (long) extent * shape[inner] <= Integer.MAX_VALUE;
        if (merges) {
            shape[inner] *= extent;
        } else {
            shape[inner - 1] = extent;
            first[inner - 1] = firstStride;
            second[inner - 1] = secondStride;
            count++;
        }
    }

    /** Axes that are left. */
    public int count() {
        return count;
    }

    /** Extents, aligned to the last axis; 1 where there is no axis. Not a copy, as the strides are none. */
    public int[] shape() {
        return shape;
    }

    /** Strides of the first array, aligned to the last axis; 0 where there is no axis. */
    public int[] first() {
        return first;
    }

    /** Strides of the second array, aligned to the last axis; 0 where there is no axis. */
    public int[] second() {
        return second;
    }

    /** Extent of an axis, counted from the last one. */
    public int extent(int fromLast) {
        return shape[last - fromLast];
    }

    /** Stride of the first array along an axis, counted from the last one. */
    public int first(int fromLast) {
        return first[last - fromLast];
    }

    /** Stride of the second array along an axis, counted from the last one. */
    public int second(int fromLast) {
        return second[last - fromLast];
    }

    /**
     * Makes {@code size} neighbours one element, if both arrays have them next to each other everywhere; the addresses
     * are not looked at.
     *
     * @return whether it did
     */
    public boolean divide(int size) {
        if (first[last] != 1 || second[last] != 1 || shape[last] % size != 0) {
            return false;
        }
        for (int axis = 0; axis < last; axis++) {
            if (first[axis] % size != 0 || second[axis] % size != 0) {
                return false;
            }
        }
        for (int axis = 0; axis < last; axis++) {
            first[axis] /= size;
            second[axis] /= size;
        }
        shape[last] /= size;
        return true;
    }
}
