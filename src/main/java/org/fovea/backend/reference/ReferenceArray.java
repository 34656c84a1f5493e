// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.util.Arrays;
import java.util.Objects;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.HalfPrecision;
import org.jspecify.annotations.Nullable;

/** An array on the heap. Numbers of every type are held as doubles, rounded to the type when they are stored. */
final class ReferenceArray implements DeviceArray {

    /** Memory that is lent out again and again; each lending has its own generation. */
    static final class Block {
        final DType dtype;
        final double[] data;

        /** Bounds of the errors that rounded arithmetic would make in {@link #data}, where they were asked for. */
        double @Nullable [] errors;

        int generation;

        Block(DType dtype, int length) {
            this.dtype = dtype;
            data = new double[length];
        }

        /** Ends the current lending, and leaves nothing in the block that could pass for a result. */
        void retire() {
            generation++;
            errors = null;
            Arrays.fill(data, dtype.isFloating() ? Double.NaN : Integer.MIN_VALUE);
        }

        long bytes() {
            return (long) data.length * dtype.bytes();
        }
    }

    final ReferenceMemory owner;
    final Block block;
    final boolean releasable;
    private final int generation;
    private final int offset;
    private final int length;

    ReferenceArray(ReferenceMemory owner, Block block, int offset, int length, boolean releasable) {
        this(owner, block, block.generation, offset, length, releasable);
    }

    private ReferenceArray(
            ReferenceMemory owner, Block block, int generation, int offset, int length, boolean releasable) {
        this.owner = owner;
        this.block = block;
        this.generation = generation;
        this.offset = offset;
        this.length = length;
        this.releasable = releasable;
    }

    double get(long index) {
        return block.data[offset + Objects.checkIndex((int) index, length)];
    }

    int integer(long index) {
        return (int) get(index);
    }

    void set(long index, double value) {
        double rounded = switch (block.dtype) {
            case F64 -> value;
            case F32 -> (float) value;
            case BF16, F16 -> HalfPrecision.value(block.dtype, HalfPrecision.bits(block.dtype, value));
            case I32 -> (int) value;
        };
        block.data[offset + Objects.checkIndex((int) index, length)] = rounded;
    }

    void setError(int index, double error) {
        if (block.errors == null) {
            block.errors = new double[block.data.length];
        }
        block.errors[offset + Objects.checkIndex(index, length)] = error;
    }

    double[] errors() {
        return length == 0
                ? new double[0]
                : Arrays.copyOfRange(
                        Objects.requireNonNull(block.errors, "no errors were bounded"), offset, offset + length);
    }

    void setAll(double[] values) {
        for (int i = 0; i < values.length; i++) {
            set(i, values[i]);
        }
    }

    void add(long index, double value) {
        set(index, get(index) + value);
    }

    /** Row {@code row} of rows of {@code width}. */
    double[] row(int row, int width) {
        double[] values = new double[width];
        for (int i = 0; i < width; i++) {
            values[i] = get(row * width + i);
        }
        return values;
    }

    int size() {
        return length;
    }

    @Override
    public DType dtype() {
        return block.dtype;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public DeviceArray slice(long start, long newLength) {
        Objects.checkFromIndexSize(start, newLength, length);
        return new ReferenceArray(owner, block, generation, offset + (int) start, (int) newLength, false);
    }

    @Override
    public boolean isAlive() {
        return block.generation == generation;
    }

    @Override
    public void release() {
        owner.release(this);
    }
}
