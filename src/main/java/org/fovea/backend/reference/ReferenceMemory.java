package org.fovea.backend.reference;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.EagerSteps;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.RlOps;

/** Memory, scopes and shards of a device that is the heap of this process. */
public abstract class ReferenceMemory implements Backend, Memory, MathOps, AttentionOps, RlOps {

    @Override
    public Memory memory() {
        return this;
    }

    @Override
    public MathOps math() {
        return this;
    }

    @Override
    public AttentionOps attention() {
        return this;
    }

    @Override
    public RlOps rl() {
        return this;
    }

    private static final int MAX_SHARDS = 8;

    private record Size(DType dtype, int length) {}

    private final DType floatType;
    private final Map<Size, Deque<ReferenceArray.Block>> free = new HashMap<>();
    private final Set<ReferenceArray.Block> lent = new HashSet<>();
    private long reservedBytes;
    private final EagerSteps steps = new EagerSteps();
    private boolean closed;

    ReferenceMemory(DType floatType) {
        this.floatType = floatType;
    }

    @Override
    public final DType floatType() {
        return floatType;
    }

    @Override
    public final DeviceArray allocate(DType dtype, long length) {
        steps.refuse("allocate");
        ReferenceArray array = lend(dtype, length, true);
        Arrays.fill(array.block.data, 0);
        return array;
    }

    private ReferenceArray lend(DType dtype, long length, boolean releasable) {
        requireOpen();
        if (length < 0) {
            throw new IllegalArgumentException("allocate: length must not be negative: " + length);
        }
        int size = Math.toIntExact(length);
        ReferenceArray.Block block = free(dtype, size).pollFirst();
        if (block == null) {
            block = new ReferenceArray.Block(dtype, size);
            block.retire();
            reservedBytes += block.bytes();
        }
        lent.add(block);
        return new ReferenceArray(this, block, 0, size, releasable);
    }

    private void giveBack(ReferenceArray.Block block) {
        block.retire();
        lent.remove(block);
        free(block.dtype, block.data.length).addFirst(block);
    }

    private Deque<ReferenceArray.Block> free(DType dtype, int size) {
        return free.computeIfAbsent(new Size(dtype, size), key -> new ArrayDeque<>());
    }

    void release(ReferenceArray array) {
        steps.refuse("release");
        if (!array.releasable) {
            throw new IllegalStateException(
                    "release: a view or an array of a scope cannot be released; close its scope instead");
        }
        giveBack(use(array).block);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("backend " + name() + " is closed");
        }
    }

    /** The array behind {@code array}, if it is one of this backend's and alive. */
    final ReferenceArray use(DeviceArray array) {
        requireOpen();
        if (!(array instanceof ReferenceArray own) || own.owner != this) {
            throw new IllegalArgumentException("an array of another backend was given to " + name());
        }
        if (!own.isAlive()) {
            throw new IllegalStateException(
                    "an array of " + own.length() + " " + own.dtype() + " was used after its scope closed");
        }
        return own;
    }

    @Override
    public final Scope openScope() {
        requireOpen();
        Thread opener = Thread.currentThread();
        return new Scope() {
            private final List<ReferenceArray> arrays = new ArrayList<>();
            private boolean ended;

            @Override
            public DeviceArray allocate(DType dtype, long length) {
                if (ended) {
                    throw new IllegalStateException("allocate: the scope is closed");
                }
                if (Thread.currentThread() != opener) {
                    throw new IllegalStateException("allocate: the scope belongs to " + opener.getName());
                }
                ReferenceArray array = lend(dtype, length, false);
                arrays.add(array);
                return array;
            }

            @Override
            public void close() {
                ended = true;
                for (ReferenceArray array : arrays) {
                    if (array.isAlive()) {
                        giveBack(array.block);
                    }
                }
                arrays.clear();
            }
        };
    }

    @Override
    public final void upload(float[] source, int offset, DeviceArray target) {
        ReferenceArray y = floats("upload", target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, source[offset + i]);
        }
    }

    @Override
    public final void upload(double[] source, int offset, DeviceArray target) {
        ReferenceArray y = floats("upload", target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, source[offset + i]);
        }
    }

    @Override
    public final void upload(int[] source, int offset, DeviceArray target) {
        ReferenceArray y = integers("upload", target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, source[offset + i]);
        }
    }

    @Override
    public final void download(DeviceArray source, float[] target, int offset) {
        ReferenceArray x = floats("download", source);
        for (int i = 0; i < x.size(); i++) {
            target[offset + i] = (float) x.get(i);
        }
    }

    @Override
    public final void download(DeviceArray source, double[] target, int offset) {
        ReferenceArray x = floats("download", source);
        for (int i = 0; i < x.size(); i++) {
            target[offset + i] = x.get(i);
        }
    }

    @Override
    public final void download(DeviceArray source, int[] target, int offset) {
        ReferenceArray x = integers("download", source);
        for (int i = 0; i < x.size(); i++) {
            target[offset + i] = x.integer(i);
        }
    }

    /** The array of a transfer between host and device. */
    private ReferenceArray floats(String operation, DeviceArray array) {
        steps.refuse(operation);
        if (!array.dtype().isFloating()) {
            throw new IllegalArgumentException(operation + ": the array is I32 but the host array is floating-point");
        }
        return use(array);
    }

    private ReferenceArray integers(String operation, DeviceArray array) {
        steps.refuse(operation);
        if (array.dtype() != DType.I32) {
            throw new IllegalArgumentException(
                    operation + ": the array is " + array.dtype() + " but the host array holds integers");
        }
        return use(array);
    }

    @Override
    public final void copy(DeviceArray source, DeviceArray target) {
        MathChecks.copy(source, target);
        ReferenceArray x = use(source);
        ReferenceArray y = use(target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, x.get(i));
        }
    }

    @Override
    public final void fill(DeviceArray target, double value) {
        ReferenceArray y = use(target);
        for (int i = 0; i < y.size(); i++) {
            y.set(i, value);
        }
    }

    @Override
    public final long liveBytes() {
        return lent.stream().mapToLong(ReferenceArray.Block::bytes).sum();
    }

    @Override
    public final long reservedBytes() {
        return reservedBytes;
    }

    @Override
    public final int shards(int units) {
        return Math.min(units, MAX_SHARDS);
    }

    @Override
    public final void forEachShard(int count, IntConsumer body) {
        requireOpen();
        RuntimeException first = null;
        for (int shard = 0; shard < count; shard++) {
            try {
                body.accept(shard);
            } catch (RuntimeException e) {
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }

    @Override
    public final CapturedStep capture(Runnable body) {
        requireOpen();
        return steps.capture(body);
    }

    @Override
    public final void synchronize() {
        requireOpen();
        steps.refuse("synchronize");
    }

    @Override
    public final void close() {
        closed = true;
        lent.forEach(ReferenceArray.Block::retire);
        lent.clear();
        free.clear();
    }
}
