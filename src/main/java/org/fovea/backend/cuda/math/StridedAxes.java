package org.fovea.backend.cuda.math;

import java.util.Arrays;
import org.fovea.backend.memory.OperandChecks;

/**
 * The axes of a strided operation on two arrays, as few as will do: those of extent 1 are left out, and neighbours along
 * which both arrays go on as if they were one axis are joined. One object serves all launches.
 */
final class StridedAxes {
    private static final int LAST = OperandChecks.MAX_AXES - 1;

    /** Extents, aligned to the last axis; 1 where there is none. */
    final int[] shape = new int[OperandChecks.MAX_AXES];

    /** Strides of the first array, 0 where there is no axis. */
    final int[] first = new int[OperandChecks.MAX_AXES];

    /** Strides of the second array, 0 where there is no axis. */
    final int[] second = new int[OperandChecks.MAX_AXES];

    private int count;

    void set(int[] extents, int[] firstStrides, int[] secondStrides) {
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
        int inner = LAST - count + 1;
        boolean joins = count > 0
                && firstStride == (long) first[inner] * shape[inner]
                && secondStride == (long) second[inner] * shape[inner]
                && (long) extent * shape[inner] <= Integer.MAX_VALUE;
        if (joins) {
            shape[inner] *= extent;
        } else {
            shape[inner - 1] = extent;
            first[inner - 1] = firstStride;
            second[inner - 1] = secondStride;
            count++;
        }
    }

    /** Axes that are left. */
    int count() {
        return count;
    }

    /** Extent of an axis, counted from the last one. */
    int extent(int fromLast) {
        return shape[LAST - fromLast];
    }

    /** Stride of the first array along an axis, counted from the last one. */
    int first(int fromLast) {
        return first[LAST - fromLast];
    }

    /** Stride of the second array along an axis, counted from the last one. */
    int second(int fromLast) {
        return second[LAST - fromLast];
    }

    /**
     * Makes {@code size} neighbours one element, if both arrays have them next to each other everywhere; the addresses
     * are not looked at.
     *
     * @return whether it did
     */
    boolean divide(int size) {
        if (first[LAST] != 1 || second[LAST] != 1 || shape[LAST] % size != 0) {
            return false;
        }
        for (int axis = 0; axis < LAST; axis++) {
            if (first[axis] % size != 0 || second[axis] % size != 0) {
                return false;
            }
        }
        for (int axis = 0; axis < LAST; axis++) {
            first[axis] /= size;
            second[axis] /= size;
        }
        shape[LAST] /= size;
        return true;
    }
}
