// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.Arrays;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.ShapeException;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * An INDArray as it lies in memory. Its axes are those of the device's array, in that order, which may be another than the
 * INDArray's own.
 *
 * @param name for messages
 * @param type of the elements
 * @param strides of the axes, in elements; 0 for one that is broadcast
 * @param offset of the first element in the buffer
 */
record ArrayView(String name, INDArray array, DType type, long[] shape, long[] strides, long offset) {

    /**
     * Of an array of a shape.
     *
     * @param expected its shape; where there is one head the array may do without that axis
     * @param headAxis the axis of heads, or -1
     * @param order the INDArray's axis that each axis of the view is
     * @throws ShapeException if the array is of another shape
     * @throws IllegalArgumentException if it is of a type that is no device's
     * @throws IllegalStateException if its memory is not, or no longer, its own
     */
    static ArrayView of(String name, INDArray array, long[] expected, int headAxis, int[] order) {
        requireUsable(name, array);
        DType type = type(name, array);
        long[] shape = array.shape();
        long[] strides = array.stride();
        if (headAxis >= 0 && shape.length == expected.length - 1 && expected[headAxis] == 1) {
            shape = insert(shape, headAxis, 1);
            strides = insert(strides, headAxis, 0);
        }
        if (!Arrays.equals(shape, expected)) {
            throw new ShapeException("attention", describe(name, array) + ", expected " + Arrays.toString(expected));
        }
        long[] ordered = new long[order.length];
        long[] orderedStrides = new long[order.length];
        for (int axis = 0; axis < order.length; axis++) {
            ordered[axis] = shape[order[axis]];
            orderedStrides[axis] = ordered[axis] == 1 ? 0 : strides[order[axis]];
        }
        return new ArrayView(name, array, type, ordered, orderedStrides, array.isEmpty() ? 0 : array.offset());
    }

    /** In the INDArray's own order of axes. */
    static ArrayView of(String name, INDArray array, long... expected) {
        int[] order = new int[expected.length];
        Arrays.setAll(order, axis -> axis);
        return of(name, array, expected, -1, order);
    }

    private static long[] insert(long[] values, int at, long value) {
        long[] longer = Arrays.copyOf(values, values.length + 1);
        System.arraycopy(values, at, longer, at + 1, values.length - at);
        longer[at] = value;
        return longer;
    }

    /** What an array is called, its type and shape. */
    static String describe(String name, INDArray array) {
        return name + " is " + array.dataType() + " " + Arrays.toString(array.shape());
    }

    /** The type of a device's elements that those of an array are. */
    static DType type(String name, INDArray array) {
        return switch (array.dataType()) {
            case FLOAT -> DType.F32;
            case DOUBLE -> DType.F64;
            case HALF -> DType.F16;
            case BFLOAT16 -> DType.BF16;
            case INT -> DType.I32;
            default ->
                throw new IllegalArgumentException(
                        "attention: " + describe(name, array)
                                + ", expected FLOAT, DOUBLE, HALF or BFLOAT16, or INT for ids and lengths; convert it by castTo");
        };
    }

    /** The ND4J type of a device's elements. */
    static DataType dataType(DType type) {
        return switch (type) {
            case F32 -> DataType.FLOAT;
            case F64 -> DataType.DOUBLE;
            case F16 -> DataType.HALF;
            case BF16 -> DataType.BFLOAT16;
            case I32 -> DataType.INT;
        };
    }

    /** Refuses an array whose memory was given back, or may be at any time. */
    private static void requireUsable(String name, INDArray array) {
        if (array.wasClosed()) {
            throw new IllegalStateException(
                    "attention: " + name + " " + Arrays.toString(array.shape()) + " was closed; use it before close()");
        }
        if (!array.isAttached()) {
            return;
        }
        MemoryWorkspace workspace = array.data().getParentWorkspace();
        String place = "attention: " + describe(name, array) + " in workspace '" + workspace.getId() + "', which ";
        if (workspace.getThreadId() != Thread.currentThread().getId()) {
            throw new IllegalStateException(place + "belongs to another thread, number " + workspace.getThreadId()
                    + ", and this is number " + Thread.currentThread().getId()
                    + "; detach() the array there before handing it over");
        }
        if (workspace.getWorkspaceType() == MemoryWorkspace.Type.CIRCULAR) {
            return;
        }
        if (!workspace.isScopeActive()) {
            throw new IllegalStateException(place + "is closed; detach() the array before the workspace closes");
        }
        if (workspace.getGenerationId() != array.data().getGenerationId()) {
            throw new IllegalStateException(place + "was closed and opened again since the array was made; detach() the"
                    + " array before the workspace closes");
        }
    }

    long length() {
        long length = 1;
        for (long extent : shape) {
            length *= extent;
        }
        return length;
    }

    /** Whether the elements lie one behind the other in row-major order. */
    boolean isDense() {
        long dense = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            if (shape[axis] != 1 && strides[axis] != dense) {
                return length() == 0;
            }
            dense *= shape[axis];
        }
        return true;
    }

    /** Refuses to be written to where several elements are one in memory. */
    ArrayView requireWritable() {
        for (int axis = 0; axis < shape.length; axis++) {
            if (strides[axis] == 0 && shape[axis] > 1 && length() > 0) {
                throw new IllegalArgumentException("attention: " + describe(name, array) + " with strides "
                        + Arrays.toString(array.stride())
                        + " can't be written to, since several of its elements are one; give a dup() of it");
            }
        }
        return this;
    }

    /** Elements between the first and the last, both included. */
    long span() {
        long last = 0;
        for (int axis = 0; axis < shape.length; axis++) {
            last += (shape[axis] - 1) * strides[axis];
        }
        return length() == 0 ? 0 : last + 1;
    }

    /** Part {@code index} of the first axis. */
    ArrayView part(long index) {
        return new ArrayView(
                name,
                array,
                type,
                Arrays.copyOfRange(shape, 1, shape.length),
                Arrays.copyOfRange(strides, 1, strides.length),
                offset + index * strides[0]);
    }
}
