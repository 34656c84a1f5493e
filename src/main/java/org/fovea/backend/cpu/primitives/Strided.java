package org.fovea.backend.cpu.primitives;

import java.util.Arrays;

/**
 * A walk over several operands of one shape, with unit axes dropped and axes merged where every operand allows it, so
 * that the inner loop is as long as can be.
 */
final class Strided {
    /** Extents, outermost first; at least one axis. */
    final int[] extents;

    /** Strides of operand, axis. */
    final int[][] strides;

    private Strided(int[] extents, int[][] strides) {
        this.extents = extents;
        this.strides = strides;
    }

    static Strided of(int[] shape, int[]... operandStrides) {
        int[] extents = new int[Math.max(1, shape.length)];
        int[][] strides = new int[operandStrides.length][extents.length];
        int rank = 0;
        for (int axis = 0; axis < shape.length; axis++) {
            if (shape[axis] == 1) {
                continue;
            }
            if (rank > 0 && mergeable(operandStrides, axis, shape[axis], strides, rank - 1)) {
                extents[rank - 1] *= shape[axis];
            } else {
                extents[rank++] = shape[axis];
            }
            for (int operand = 0; operand < strides.length; operand++) {
                strides[operand][rank - 1] = operandStrides[operand][axis];
            }
        }
        if (rank == 0) {
            extents[rank++] = 1;
        }
        for (int operand = 0; operand < strides.length; operand++) {
            strides[operand] = Arrays.copyOf(strides[operand], rank);
        }
        return new Strided(Arrays.copyOf(extents, rank), strides);
    }

    private static boolean mergeable(int[][] source, int axis, int extent, int[][] merged, int last) {
        for (int operand = 0; operand < source.length; operand++) {
            if (merged[operand][last] != (long) source[operand][axis] * extent) {
                return false;
            }
        }
        return true;
    }

    int rank() {
        return extents.length;
    }

    long size() {
        long size = 1;
        for (int extent : extents) {
            size *= extent;
        }
        return size;
    }

    /** A walk over the rows of all axes but the innermost. */
    Rows rows() {
        return new Rows();
    }

    /** Where each operand's current row starts. */
    final class Rows {
        private final int[] index = new int[rank()];
        private final int[] offsets = new int[strides.length];

        int offset(int operand) {
            return offsets[operand];
        }

        /** Goes to the next row; after the last, back to the first. */
        void next() {
            for (int axis = rank() - 2; axis >= 0; axis--) {
                index[axis]++;
                boolean carry = index[axis] == extents[axis];
                int steps = carry ? 1 - extents[axis] : 1;
                for (int operand = 0; operand < offsets.length; operand++) {
                    offsets[operand] += steps * strides[operand][axis];
                }
                if (!carry) {
                    return;
                }
                index[axis] = 0;
            }
        }
    }
}
