// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
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
        int slot = Math.floorMod(first, capacity);
        int beforeWrap = Math.min(count, capacity - slot);
        copyRows(newKeys, keys, count, 0, slot, beforeWrap);
        copyRows(newValues, values, count, 0, slot, beforeWrap);
        if (beforeWrap < count) {
            copyRows(newKeys, keys, count, beforeWrap, 0, count - beforeWrap);
            copyRows(newValues, values, count, beforeWrap, 0, count - beforeWrap);
        }
    }

    /** Writes the keys and values [batch, heads, headDim] of a step, over what is {@code capacity} older. */
    void write(DecodingStep step, DeviceArray newKeys, DeviceArray newValues) {
        int rows = step.to() - step.from();
        long ring = (long) capacity * width;
        backend.math()
                .placeRows(
                        RowPlaces.inRings(step.positions().slice(step.from(), rows), capacity),
                        List.of(
                                new TableRows(
                                        keys.slice(step.from() * ring, rows * ring),
                                        width,
                                        newKeys.slice((long) step.from() * width, (long) rows * width)),
                                new TableRows(
                                        values.slice(step.from() * ring, rows * ring),
                                        width,
                                        newValues.slice((long) step.from() * width, (long) rows * width))));
    }

    /**
     * The tables by which whole rings of this cache become those of another of the same capacity; see {@link
     * org.fovea.backend.math.MathOps#placeRows}.
     *
     * @param from the first row of this
     * @param to one after the last
     */
    public List<TableRows> rings(int from, int to, KeyValueCache other) {
        int ring = capacity * width;
        return List.of(
                new TableRows(other.keys, ring, keys.slice((long) from * ring, (long) (to - from) * ring)),
                new TableRows(other.values, ring, values.slice((long) from * ring, (long) (to - from) * ring)));
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
