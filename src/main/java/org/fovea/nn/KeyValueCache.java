// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.ShapeException;

/**
 * The latest keys and values of one layer for every row of a batch, in a ring: what stands at position p is in slot
 * {@code p mod capacity}. State of inference, kept from step to step.
 */
public final class KeyValueCache implements AutoCloseable {
    private final Backend backend;
    private final int batch;
    private final int capacity;
    private final int width;
    private final DeviceArray keys;
    private final DeviceArray values;

    /** An empty cache of {@code capacity} slots for each of {@code batch} rows. */
    public KeyValueCache(Backend backend, int batch, int capacity, int heads, int headDim) {
        this.backend = backend;
        this.batch = batch;
        this.capacity = capacity;
        this.width = heads * headDim;
        long length = (long) batch * capacity * width;
        this.keys = backend.memory().allocate(backend.memory().floatType(), length);
        this.values = backend.memory().allocate(backend.memory().floatType(), length);
    }

    /** Slots of a row: the window. */
    int capacity() {
        return capacity;
    }

    /** [batch, capacity, heads, headDim]. */
    DeviceArray keys() {
        return keys;
    }

    /** [batch, capacity, heads, headDim]. */
    DeviceArray values() {
        return values;
    }

    /** The slot of a position. */
    int slot(int position) {
        return Math.floorMod(position, capacity);
    }

    /**
     * Writes keys and values [batch, count, heads, headDim] of positions {@code first, first + 1, ...}, over what is
     * {@code capacity} older.
     */
    void write(int first, int count, DeviceArray newKeys, DeviceArray newValues) {
        if (count > capacity || newKeys.length() != (long) batch * count * width) {
            throw new ShapeException(
                    "key-value cache",
                    count + " positions with " + newKeys.length() + " elements for a ring of [" + batch + ", "
                            + capacity + ", " + width + "]");
        }
        int slot = slot(first);
        int beforeWrap = Math.min(count, capacity - slot);
        copyRows(newKeys, keys, count, 0, slot, beforeWrap);
        copyRows(newValues, values, count, 0, slot, beforeWrap);
        if (beforeWrap < count) {
            copyRows(newKeys, keys, count, beforeWrap, 0, count - beforeWrap);
            copyRows(newValues, values, count, beforeWrap, 0, count - beforeWrap);
        }
    }

    /**
     * Takes the rings of some rows of another cache, of the same capacity, which are turned so that what stands at the row's
     * position there stands at {@code capacity - 1} here.
     *
     * @param from rows of the other
     * @param count how many
     * @param position of the newest of each
     * @param to row that the first becomes
     */
    public void take(KeyValueCache other, int[] from, int count, int position, int to) {
        int[] slots = new int[count * capacity];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = from[i / capacity] * capacity + slot(position + 1 + i % capacity);
        }
        try (Scope scope = backend.memory().openScope()) {
            DeviceArray indices = scope.allocate(DType.I32, slots.length);
            backend.memory().upload(slots, 0, indices);
            long start = (long) to * capacity * width;
            long length = (long) slots.length * width;
            backend.math().gatherRows(other.keys, width, indices, keys.slice(start, length));
            backend.math().gatherRows(other.values, width, indices, values.slice(start, length));
        }
    }

    /** Copies {@code rows} rows of each batch element from row {@code from} of source to slot {@code slot} of ring. */
    private void copyRows(DeviceArray source, DeviceArray ring, int sourceRows, int from, int slot, int rows) {
        long sourceStart = (long) from * width;
        long ringStart = (long) slot * width;
        backend.math()
                .arrange(
                        new int[] {batch, rows * width},
                        source.slice(sourceStart, source.length() - sourceStart),
                        new int[] {sourceRows * width, 1},
                        ring.slice(ringStart, ring.length() - ringStart),
                        new int[] {capacity * width, 1});
    }

    /** Releases the memory. */
    @Override
    public void close() {
        keys.release();
        values.release();
    }
}
