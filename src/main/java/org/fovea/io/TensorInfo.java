// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.util.Arrays;

/**
 * Type and shape of a tensor.
 *
 * @param type of the elements
 * @param shape sizes of the dimensions; a scalar has none
 */
public record TensorInfo(TensorType type, long[] shape) {

    /**
     * @throws IllegalArgumentException if a dimension is negative or the size in bytes exceeds a {@code long}
     */
    public TensorInfo {
        shape = shape.clone();
        TensorData.byteCount(type, shape);
    }

    /** A tensor of the given dimensions. */
    public static TensorInfo of(TensorType type, long... shape) {
        return new TensorInfo(type, shape);
    }

    /** Sizes of the dimensions. */
    @Override
    public long[] shape() {
        return shape.clone();
    }

    /** Size of one dimension. */
    public long extent(int dimension) {
        return shape[dimension];
    }

    /** Number of dimensions. */
    public int rank() {
        return shape.length;
    }

    /** Bytes of all elements. */
    public long bytes() {
        return TensorData.byteCount(type, shape);
    }

    /** Number of elements. */
    public long elements() {
        return bytes() / type.bytes();
    }

    /** Whether the other has the same dimensions, of whatever type. */
    public boolean hasShapeOf(TensorInfo other) {
        return Arrays.equals(shape, other.shape);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TensorInfo that && type == that.type && hasShapeOf(that);
    }

    @Override
    public int hashCode() {
        return 31 * type.hashCode() + Arrays.hashCode(shape);
    }

    /** As {@code F32[2, 3]}. */
    @Override
    public String toString() {
        return type + Arrays.toString(shape);
    }
}
