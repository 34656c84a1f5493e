// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import jcuda.driver.CUresult;
import org.fovea.backend.memory.OutOfDeviceMemoryException;
import org.jspecify.annotations.Nullable;

/**
 * Device memory that is handed out again: after its first iteration a training step takes nothing from the driver. One
 * stream orders all work, so a block may go to its next user while the device still works for the last one.
 *
 * <p>What captured steps work in comes from an arena: blocks that nothing else is given while a step is open, since each
 * replay writes them. One arena serves all steps, because no replay reads what another left there.
 */
final class DevicePool {
    private static final long GRAIN = 512;

    /** Fills blocks that come back with NaN, so that a use after the end shows. For tests. */
    private static final boolean POISON = Boolean.getBoolean("fovea.poison");

    private final CudaContext context;
    private final List<DeviceBlock> blocks = new ArrayList<>();
    private final TreeMap<Long, ArrayDeque<DeviceBlock>> free = new TreeMap<>();
    private final TreeMap<Long, ArrayDeque<DeviceBlock>> arena = new TreeMap<>();
    private int arenaUsers;
    private boolean capturing;
    private long liveBytes;
    private long reservedBytes;

    DevicePool(CudaContext context) {
        this.context = context;
        context.owns("cuMemFree", this::freeAll);
    }

    /** A block with room for {@code bytes} bytes, of unspecified contents. */
    DeviceBlock take(long bytes) {
        long size = Math.max(1, (bytes + GRAIN - 1) / GRAIN) * GRAIN;
        DeviceBlock block = capturing ? recycled(arena, size) : null;
        if (block == null) {
            block = recycled(free, size);
        }
        if (block == null) {
            block = reserve(size);
        }
        block.inArena = capturing;
        block.liveBytes = bytes;
        liveBytes += bytes;
        return block;
    }

    /** Takes a block back and ends the arrays on it. */
    void give(DeviceBlock block) {
        liveBytes -= block.liveBytes;
        block.generation++;
        if (POISON) {
            // A failure shows in the next call that matters.
            cuMemsetD8Async(block.pointer, (byte) 0xFF, block.size, context.stream());
        }
        block.inArena &= arenaUsers > 0;
        put(block.inArena ? arena : free, block);
    }

    private static void put(NavigableMap<Long, ArrayDeque<DeviceBlock>> blocks, DeviceBlock block) {
        blocks.computeIfAbsent(block.size, size -> new ArrayDeque<>()).push(block);
    }

    /** From now on blocks are for a step that is being captured. */
    void enterArena() {
        capturing = true;
        arenaUsers++;
    }

    /** The capture is over; the arena stays for the step that came of it. */
    void leaveArena() {
        capturing = false;
    }

    /** One step less works in the arena. */
    void releaseArena() {
        arenaUsers--;
        if (arenaUsers == 0) {
            arena.values()
                    .forEach(sameSize -> sameSize.forEach(block -> {
                        block.inArena = false;
                        put(free, block);
                    }));
            arena.clear();
        }
    }

    private static @Nullable DeviceBlock recycled(NavigableMap<Long, ArrayDeque<DeviceBlock>> blocks, long size) {
        Map.Entry<Long, ArrayDeque<DeviceBlock>> fit = blocks.ceilingEntry(size);
        // A block of more than twice the size would waste more than a new one costs.
        if (fit == null || fit.getKey() / 2 > size) {
            return null;
        }
        DeviceBlock block = fit.getValue().pop();
        if (fit.getValue().isEmpty()) {
            blocks.remove(fit.getKey());
        }
        return block;
    }

    private DeviceBlock reserve(long size) {
        DevicePointer pointer = new DevicePointer();
        int result = cuMemAlloc(pointer, size);
        // During a capture nothing can be given back: the driver would have to wait for the stream.
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY && !free.isEmpty() && !capturing) {
            trim();
            result = cuMemAlloc(pointer, size);
        }
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            throw outOfMemory(size);
        }
        context.check(result, "cuMemAlloc", "allocate", "bytes", size);
        DeviceBlock block = new DeviceBlock(pointer, size);
        blocks.add(block);
        reservedBytes += size;
        return block;
    }

    private OutOfDeviceMemoryException outOfMemory(long size) {
        long[] available = new long[1];
        long[] total = new long[1];
        context.check(cuMemGetInfo(available, total), "cuMemGetInfo", "allocate");
        return new OutOfDeviceMemoryException("cuMemAlloc failed in allocate: asked for " + size
                + " bytes of device memory; arrays hold " + liveBytes
                + ", captured steps " + arenaBytes() + ", and " + available[0] + " of " + total[0] + " are free on "
                + context.description()
                + ". Use fewer environments, a smaller minibatch or a shorter sequence");
    }

    private long arenaBytes() {
        return arena.values().stream()
                .flatMap(ArrayDeque::stream)
                .mapToLong(block -> block.size)
                .sum();
    }

    private void trim() {
        // Out of the free list first: a block that could not be freed must not be handed out again.
        for (Map.Entry<Long, ArrayDeque<DeviceBlock>> sameSize = free.pollFirstEntry();
                sameSize != null;
                sameSize = free.pollFirstEntry()) {
            for (DeviceBlock block : sameSize.getValue()) {
                context.check(cuMemFree(block.pointer), "cuMemFree", "allocate", "bytes", block.size);
                blocks.remove(block);
                reservedBytes -= block.size;
            }
        }
    }

    long liveBytes() {
        return liveBytes;
    }

    long reservedBytes() {
        return reservedBytes;
    }

    /** Frees everything and ends every array; returns the first error. */
    private int freeAll() {
        int first = CUresult.CUDA_SUCCESS;
        for (DeviceBlock block : blocks) {
            block.generation++;
            int result = cuMemFree(block.pointer);
            first = first == CUresult.CUDA_SUCCESS ? result : first;
        }
        blocks.clear();
        free.clear();
        arena.clear();
        liveBytes = 0;
        reservedBytes = 0;
        return first;
    }
}
