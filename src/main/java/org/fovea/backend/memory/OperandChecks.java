// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Checks of the lengths and types of operands. The rules of each operation are in {@code MathChecks}, {@code
 * AttentionChecks} and {@code RlChecks}, so every backend refuses the same arguments with the same words.
 */
public final class OperandChecks {

    /** Most axes of a strided operation. */
    public static final int MAX_AXES = 6;

    private OperandChecks() {}

    /**
     * Requires floating elements, as many as {@code shape} has.
     *
     * @throws ShapeException if there are more or fewer
     * @throws IllegalArgumentException if they are integers
     */
    public static void floats(String operation, String name, DeviceArray array, int... shape) {
        floating(operation, name, array);
        length(operation, name, array, shape);
    }

    // Checks of few extents make no array of them: they come before every launch of a kernel.

    public static void floats(String operation, String name, DeviceArray array, int extent) {
        floating(operation, name, array);
        length(operation, name, array, extent);
    }

    public static void floats(String operation, String name, DeviceArray array, int first, int second) {
        floating(operation, name, array);
        length(operation, name, array, first, second);
    }

    public static void floats(String operation, String name, DeviceArray array, int first, int second, int third) {
        floating(operation, name, array);
        length(operation, name, array, first, second, third);
    }

    /**
     * Requires I32 elements, as many as {@code shape} has.
     *
     * @throws ShapeException if there are more or fewer
     * @throws IllegalArgumentException if they are not integers
     */
    public static void ints(String operation, String name, DeviceArray array, int... shape) {
        if (array.dtype() != DType.I32) {
            throw new IllegalArgumentException(operation + ": " + name + " is " + array.dtype() + ", expected I32");
        }
        length(operation, name, array, shape);
    }

    /** Requires floating elements, any number. */
    public static void floating(String operation, String name, DeviceArray array) {
        if (!array.dtype().isFloating()) {
            throw new IllegalArgumentException(operation + ": " + name + " is I32, expected floating-point elements");
        }
    }

    /** Requires two arrays of one type. */
    public static void sameType(String operation, DeviceArray x, DeviceArray y) {
        if (x.dtype() != y.dtype()) {
            throw new IllegalArgumentException(
                    operation + ": x is " + x.dtype() + " and y is " + y.dtype() + ", expected the same type");
        }
    }

    private static void length(String operation, String name, DeviceArray array, int extent) {
        if (array.length() != extent) {
            length(operation, name, array, new int[] {extent});
        }
    }

    public static void length(String operation, String name, DeviceArray array, int first, int second) {
        if ((first | second) < 0 || array.length() != (long) first * second) {
            length(operation, name, array, new int[] {first, second});
        }
    }

    private static void length(String operation, String name, DeviceArray array, int first, int second, int third) {
        if ((first | second | third) < 0 || array.length() != Math.multiplyExact((long) first * second, (long) third)) {
            length(operation, name, array, new int[] {first, second, third});
        }
    }

    /** Requires as many elements as {@code shape} has. */
    private static void length(String operation, String name, DeviceArray array, int... shape) {
        extents(operation, shape);
        if (array.length() != RowMajor.size(shape)) {
            throw new ShapeException(
                    operation,
                    name + " has " + array.length() + " elements, expected " + RowMajor.size(shape) + " for "
                            + Arrays.toString(shape));
        }
    }

    /** Operands of {@link Memory#copy}. */
    public static void copy(DeviceArray source, DeviceArray target) {
        sameType("copy", source, target);
        sameLength("copy", "source", source, "target", target);
    }

    /**
     * The bytes of a buffer that a transfer of all of {@code array} reads or writes, in the machine's byte order.
     *
     * @throws IndexOutOfBoundsException if the buffer has fewer
     */
    public static ByteBuffer bytes(ByteBuffer buffer, DeviceArray array) {
        long bytes = array.length() * array.dtype().bytes();
        if (bytes > buffer.remaining()) {
            throw new IndexOutOfBoundsException("a buffer with " + buffer.remaining() + " bytes left can't hold "
                    + array.length() + " elements of " + array.dtype());
        }
        return buffer.slice(buffer.position(), (int) bytes).order(ByteOrder.nativeOrder());
    }

    /** Requires two arrays of one length. */
    public static void sameLength(
            String operation, String name, DeviceArray array, String otherName, DeviceArray other) {
        if (array.length() != other.length()) {
            throw new ShapeException(
                    operation,
                    name + " has " + array.length() + " elements, but " + otherName + " has " + other.length());
        }
    }

    public static void extents(String operation, int first, int second, int third, int fourth) {
        if ((first | second | third | fourth) < 0) {
            extents(operation, new int[] {first, second, third, fourth});
        }
    }

    /** Requires extents that are not negative. */
    private static void extents(String operation, int... shape) {
        for (int extent : shape) {
            if (extent < 0) {
                throw new ShapeException(operation, "extents must not be negative: " + Arrays.toString(shape));
            }
        }
    }

    /** Requires that every index of {@code shape} falls inside the array at the given strides. */
    public static void strided(String operation, String name, DeviceArray array, int[] shape, int[] strides) {
        if (shape.length > MAX_AXES || strides.length != shape.length) {
            throw new ShapeException(
                    operation,
                    "shape " + Arrays.toString(shape) + " and strides " + Arrays.toString(strides) + " of " + name
                            + " must have the same number of axes, at most " + MAX_AXES);
        }
        extents(operation, shape);
        if (RowMajor.size(shape) == 0) {
            return;
        }
        long first = 0;
        long last = 0;
        for (int axis = 0; axis < shape.length; axis++) {
            long reach = (long) (shape[axis] - 1) * strides[axis];
            first += Math.min(reach, 0);
            last += Math.max(reach, 0);
        }
        if (first < 0 || last >= array.length()) {
            throw new ShapeException(
                    operation,
                    name + " has " + array.length() + " elements, but shape " + Arrays.toString(shape)
                            + " with strides " + Arrays.toString(strides) + " reaches from " + first + " to " + last);
        }
    }
}
