// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/** A bump arena: allocation moves a mark in a recycled block, closing hands the blocks back. */
final class CpuScope implements Scope {
    private final Blocks pool;
    private final LongAdder liveBytes;
    private final Lifetime lifetime;
    private final Arena floats;
    private final Arena ints;

    /** Arenas of types that few scopes hold. */
    private final Map<DType, Arena> rare = new EnumMap<>(DType.class);

    private long bytes;
    private boolean closed;

    CpuScope(Blocks pool, LongAdder liveBytes, Lifetime backend) {
        this.pool = pool;
        this.floats = new Arena(DType.F32, pool.blockSize(DType.F32));
        this.ints = new Arena(DType.I32, pool.blockSize(DType.I32));
        this.liveBytes = liveBytes;
        this.lifetime = new Lifetime(backend);
    }

    @Override
    public DeviceArray allocate(DType dtype, long length) {
        if (!lifetime.alive()) {
            throw new IllegalStateException("allocation in a scope that is closed");
        }
        if (length < 0) {
            throw new IllegalArgumentException("array length must not be negative: " + length);
        }
        CpuArray array = arena(dtype).allocate(length);
        long size = length * dtype.bytes();
        bytes += size;
        liveBytes.add(size);
        return array;
    }

    private Arena arena(DType dtype) {
        return switch (dtype) {
            case F32 -> floats;
            case I32 -> ints;
            case F64, BF16, F16 -> rare.computeIfAbsent(dtype, type -> new Arena(type, pool.blockSize(type)));
        };
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        lifetime.end();
        floats.close();
        ints.close();
        rare.values().forEach(Arena::close);
        liveBytes.add(-bytes);
    }

    private final class Arena {
        private final DType dtype;
        private final int blockSize;
        private final List<Block> blocks = new ArrayList<>();
        private int current = -1;
        private int mark;

        Arena(DType dtype, int blockSize) {
            this.dtype = dtype;
            this.blockSize = blockSize;
        }

        CpuArray allocate(long length) {
            long size = Block.align(length);
            if (current >= 0 && size <= blocks.get(current).capacity - mark) {
                return carve(blocks.get(current), (int) size, (int) length);
            }
            if (size > blockSize / 4) {
                // A block of its own, so that the room left in the current one stays usable.
                Block block = take(Math.max(size, blockSize));
                if (block.capacity - size >= blockSize / 4) {
                    current = blocks.size() - 1;
                    mark = 0;
                    return carve(block, (int) size, (int) length);
                }
                return new CpuArray(block, Block.BASE, (int) length, lifetime);
            }
            take(blockSize);
            current = blocks.size() - 1;
            mark = 0;
            return carve(blocks.get(current), (int) size, (int) length);
        }

        private Block take(long capacity) {
            Block block = pool.take(dtype, capacity);
            blocks.add(block);
            return block;
        }

        private CpuArray carve(Block block, int size, int length) {
            CpuArray array = new CpuArray(block, Block.BASE + mark, length, lifetime);
            mark += size;
            return array;
        }

        void close() {
            for (int i = 0; i < blocks.size(); i++) {
                Block block = blocks.get(i);
                block.poison(i == current ? mark : block.capacity);
                pool.give(block);
            }
            blocks.clear();
        }
    }
}
