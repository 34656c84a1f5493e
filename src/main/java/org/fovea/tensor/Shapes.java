// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.Arrays;
import org.fovea.backend.math.StridedAxes;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.RowMajor;
import org.fovea.backend.memory.ShapeException;

/** Arithmetic of row-major shapes. */
final class Shapes {
    static final int[] SCALAR = {};

    private Shapes() {}

    /** Number of elements; 1 for a scalar. */
    static long length(int... shape) {
        long length = 1;
        for (int size : shape) {
            length *= size;
        }
        return length;
    }

    /** Product of sizes {@code [from, to)}. */
    static int product(int[] shape, int from, int to) {
        int product = 1;
        for (int i = from; i < to; i++) {
            product = Math.multiplyExact(product, shape[i]);
        }
        return product;
    }

    /** Strides with which a dense array of shape {@code from} is read as {@code to}; 0 on broadcast axes. */
    static int[] broadcastStrides(int[] from, int[] to) {
        int[] dense = RowMajor.strides(from);
        int[] strides = new int[to.length];
        int offset = to.length - from.length;
        for (int i = 0; i < from.length; i++) {
            strides[offset + i] = from[i] == 1 ? 0 : dense[i];
        }
        return strides;
    }

    /** The shape both operands are broadcast to: aligned at the last axis, 1 stretches. */
    static int[] broadcast(String operation, int[] a, int[] b) {
        if (Arrays.equals(a, b)) {
            return a;
        }
        int rank = Math.max(a.length, b.length);
        int[] shape = new int[rank];
        for (int i = 1; i <= rank; i++) {
            int sizeA = i <= a.length ? a[a.length - i] : 1;
            int sizeB = i <= b.length ? b[b.length - i] : 1;
            if (sizeA != sizeB && sizeA != 1 && sizeB != 1) {
                throw new ShapeException(
                        operation,
                        "cannot broadcast " + text(a) + " with " + text(b) + ": axis " + (rank - i) + " has sizes "
                                + sizeA + " and " + sizeB);
            }
            shape[rank - i] = sizeA == 1 ? sizeB : sizeA;
        }
        return shape;
    }

    /** The axis as a number from 0, where negative ones count from the end. */
    static int axis(String operation, int[] shape, int axis) {
        int index = axis < 0 ? axis + shape.length : axis;
        if (index < 0 || index >= shape.length) {
            throw new ShapeException(operation, "no axis " + axis + " in " + text(shape));
        }
        return index;
    }

    /** A copy with one size replaced. */
    static int[] with(int[] shape, int axis, int size) {
        int[] copy = shape.clone();
        copy[axis] = size;
        return copy;
    }

    /** The sizes of both, one after the other. */
    static int[] concat(int[] a, int[] b) {
        int[] shape = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, shape, a.length, b.length);
        return shape;
    }

    /**
     * The axes of an operation on two arrays, merged where both allow it.
     *
     * @throws ShapeException if more are left than a backend takes
     */
    static StridedAxes axes(String operation, int[] shape, int[] strideA, int[] strideB) {
        StridedAxes axes = StridedAxes.of(shape, strideA, strideB);
        if (axes.count() > OperandChecks.MAX_AXES) {
            throw new ShapeException(
                    operation,
                    text(shape) + " needs " + axes.count() + " separate axes, at most " + OperandChecks.MAX_AXES
                            + " work");
        }
        return axes;
    }

    static String text(int[] shape) {
        return Arrays.toString(shape);
    }
}
