// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A tensor as a file holds it: row-major, little-endian, below 2 GiB.
 *
 * @param type of the elements
 * @param shape sizes of the dimensions; a scalar has none
 * @param data the elements, from position to limit
 */
public record TensorData(TensorType type, long[] shape, ByteBuffer data) {

    /**
     * @throws IllegalArgumentException if the data has another number of bytes than the shape
     */
    public TensorData {
        shape = shape.clone();
        data = data.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
        if (byteCount(type, shape) != data.remaining()) {
            throw new IllegalArgumentException("a tensor " + describe(type, shape) + " takes " + byteCount(type, shape)
                    + " bytes, not " + data.remaining());
        }
    }

    /**
     * Bytes of a tensor.
     *
     * @throws IllegalArgumentException if a dimension is negative or the size exceeds a {@code long}
     */
    static long byteCount(TensorType type, long... shape) {
        long bytes = type.bytes();
        for (long dimension : shape) {
            if (dimension < 0) {
                throw new IllegalArgumentException("a dimension of " + Arrays.toString(shape) + " is negative");
            }
        }
        try {
            for (long dimension : shape) {
                bytes = Math.multiplyExact(bytes, dimension);
            }
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("the size of shape " + Arrays.toString(shape) + " overflows", e);
        }
        return bytes;
    }

    /** A float32 tensor. */
    public static TensorData ofFloats(float[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Float.BYTES);
        data.asFloatBuffer().put(values);
        return new TensorData(TensorType.F32, shape, data);
    }

    /** A float64 tensor. */
    public static TensorData ofDoubles(double[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Double.BYTES);
        data.asDoubleBuffer().put(values);
        return new TensorData(TensorType.F64, shape, data);
    }

    /** An int32 tensor. */
    public static TensorData ofInts(int[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Integer.BYTES);
        data.asIntBuffer().put(values);
        return new TensorData(TensorType.I32, shape, data);
    }

    /** An int64 tensor. */
    public static TensorData ofLongs(long[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Long.BYTES);
        data.asLongBuffer().put(values);
        return new TensorData(TensorType.I64, shape, data);
    }

    /** A tensor of unsigned bytes. */
    public static TensorData ofBytes(byte[] values, long... shape) {
        return new TensorData(TensorType.U8, shape, ByteBuffer.wrap(values.clone()));
    }

    private static ByteBuffer allocate(int elements, int bytes) {
        return ByteBuffer.allocate(Math.multiplyExact(elements, bytes)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Sizes of the dimensions. */
    @Override
    public long[] shape() {
        return shape.clone();
    }

    /** The elements: read-only, little-endian, with a position of its own. */
    @Override
    public ByteBuffer data() {
        return data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Number of elements. */
    public int elements() {
        return data.remaining() / type.bytes();
    }

    /** The elements of a float32 tensor. */
    public float[] toFloats() {
        require(TensorType.F32);
        float[] values = new float[elements()];
        data().asFloatBuffer().get(values);
        return values;
    }

    /** The elements of a float64 tensor. */
    public double[] toDoubles() {
        require(TensorType.F64);
        double[] values = new double[elements()];
        data().asDoubleBuffer().get(values);
        return values;
    }

    /** The elements of an int32 tensor. */
    public int[] toInts() {
        require(TensorType.I32);
        int[] values = new int[elements()];
        data().asIntBuffer().get(values);
        return values;
    }

    /** The elements of an int64 tensor. */
    public long[] toLongs() {
        require(TensorType.I64);
        long[] values = new long[elements()];
        data().asLongBuffer().get(values);
        return values;
    }

    /** The bytes of a tensor of any type. */
    public byte[] toBytes() {
        byte[] values = new byte[data.remaining()];
        data().get(values);
        return values;
    }

    private void require(TensorType wanted) {
        if (type != wanted) {
            throw new IllegalStateException("the tensor is " + this + ", not " + wanted);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TensorData that
                && type == that.type
                && Arrays.equals(shape, that.shape)
                && data.equals(that.data);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * type.hashCode() + Arrays.hashCode(shape)) + data.hashCode();
    }

    @Override
    public String toString() {
        return describe(type, shape);
    }

    private static String describe(TensorType type, long... shape) {
        return type + Arrays.toString(shape);
    }
}
