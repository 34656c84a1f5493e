// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.OutOfDeviceMemoryException;

/** Blocks that are not in use, by type and capacity. Shared by the threads of a backend. */
final class BlockPool implements Blocks {
    /** Elements of a floating block: a shard's forward and backward pass of a small network fit in one. */
    private static final int FLOAT_BLOCK = 1 << 20;

    private static final int OTHER_BLOCK = 1 << 16;
    private static final long LARGEST_ARRAY = Integer.MAX_VALUE - 64;

    private final Map<DType, NavigableMap<Integer, List<Block>>> free = new EnumMap<>(DType.class);
    private long reservedBytes;

    /** A block of exactly {@code capacity} elements, with unspecified contents. */
    synchronized Block takeExact(DType dtype, long capacity) {
        List<Block> blocks = free(dtype).get((int) Math.min(capacity, Integer.MAX_VALUE));
        return blocks == null ? create(dtype, capacity) : take(dtype, blocks);
    }

    /** A block of at least {@code capacity} elements and at most twice that, with unspecified contents. */
    @Override
    public synchronized Block take(DType dtype, long capacity) {
        Map.Entry<Integer, List<Block>> entry = free(dtype).ceilingEntry((int) Math.min(capacity, Integer.MAX_VALUE));
        return entry == null || entry.getKey() > 2 * capacity ? create(dtype, capacity) : take(dtype, entry.getValue());
    }

    @Override
    public int blockSize(DType dtype) {
        return dtype == DType.F32 ? FLOAT_BLOCK : OTHER_BLOCK;
    }

    @Override
    public synchronized void give(Block block) {
        block.lastUser = Thread.currentThread();
        free(block.dtype)
                .computeIfAbsent(block.capacity, unused -> new ArrayList<>())
                .add(block);
    }

    synchronized long reservedBytes() {
        return reservedBytes;
    }

    /** Forgets every free block. */
    synchronized void trim() {
        for (NavigableMap<Integer, List<Block>> blocks : free.values()) {
            for (List<Block> equal : blocks.values()) {
                reservedBytes -= equal.stream().mapToLong(Block::bytes).sum();
            }
            blocks.clear();
        }
    }

    private NavigableMap<Integer, List<Block>> free(DType dtype) {
        return free.computeIfAbsent(dtype, unused -> new TreeMap<>());
    }

    private Block take(DType dtype, List<Block> blocks) {
        int chosen = blocks.size() - 1;
        for (int i = chosen; i >= 0; i--) {
            if (blocks.get(i).lastUser == Thread.currentThread()) {
                chosen = i;
                break;
            }
        }
        Block block = blocks.remove(chosen);
        if (blocks.isEmpty()) {
            free(dtype).remove(block.capacity);
        }
        return block;
    }

    private Block create(DType dtype, long capacity) {
        if (capacity > LARGEST_ARRAY) {
            throw new OutOfDeviceMemoryException("cpu: " + capacity + " elements of " + dtype
                    + " asked for; one array holds at most " + LARGEST_ARRAY);
        }
        Block block = createOrTrim(dtype, (int) capacity);
        reservedBytes += block.bytes();
        return block;
    }

    private Block createOrTrim(DType dtype, int capacity) {
        try {
            return new Block(dtype, capacity);
        } catch (OutOfMemoryError full) {
            trim();
        }
        try {
            return new Block(dtype, capacity);
        } catch (OutOfMemoryError full) {
            Runtime runtime = Runtime.getRuntime();
            OutOfDeviceMemoryException exception = new OutOfDeviceMemoryException("cpu: no room for "
                    + (long) capacity * dtype.bytes() + " bytes; " + reservedBytes + " are held, "
                    + runtime.freeMemory() + " free of a heap of " + runtime.maxMemory() + " (raise it with -Xmx)");
            exception.initCause(full);
            throw exception;
        }
    }
}
