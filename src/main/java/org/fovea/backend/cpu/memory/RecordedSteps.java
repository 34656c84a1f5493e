// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import java.io.Serial;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.EagerSteps;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/**
 * Steps of the CPU that are captured, whose body runs at each replay, or {@linkplain org.fovea.backend.Backend#record recorded}: the
 * operations that the body issues are kept with the arrays that they found, as a graph of a device keeps them, so that a replay runs
 * kernels and nothing else. It checks no operands, makes no tensors and allocates nothing. A body with work that can't be kept so, as
 * what is spread over threads by the backend's user, runs at each replay all the same ({@link EagerSteps}).
 *
 * <p>An operation hands what it does to {@link #run}, or says {@link #cannotRecord}.
 */
public final class RecordedSteps {
    private final EagerSteps eager = new EagerSteps();
    private final boolean records;

    /** What the thread records. */
    @SuppressWarnings("ThreadLocalUsage") // one for each thread of one backend
    private final ThreadLocal<@Nullable Recording> current = new ThreadLocal<>();

    /** @param records whether steps are recorded at all, or each runs its body */
    public RecordedSteps(boolean records) {
        this.records = records;
    }

    /** What gives up a recording. */
    private static final class UnrecordableException extends RuntimeException {
        @Serial
        private static final long serialVersionUID = 1;

        UnrecordableException() {
            super("a body that cannot be recorded", null, false, false);
        }
    }

    /** A step that runs {@code body} at each replay. */
    public CapturedStep capture(Runnable body) {
        refuse("capture");
        return eager.capture(body);
    }

    /** A step of the operations of {@code body}, which is run here, once, if they can be recorded. */
    public CapturedStep record(Runnable body, CpuMemory memory) {
        refuse("capture");
        if (!records) {
            return eager.capture(body);
        }
        Recording recording = new Recording(memory.pool());
        current.set(recording);
        try {
            body.run();
            recording.end();
            return recording;
        } catch (UnrecordableException e) {
            recording.close();
            return eager.capture(body);
        } catch (RuntimeException | Error e) {
            recording.close();
            throw e;
        } finally {
            current.remove();
        }
    }

    /** Throws {@link IllegalStateException} if a step is being recorded or replayed, in which {@code call} has no place. */
    public void refuse(String call) {
        if (current.get() != null) {
            throw new IllegalStateException(call + " is not possible in a captured step; do it before or after");
        }
        eager.refuse(call);
    }

    /** Runs the work of an operation whose operands were checked, or keeps it for replays. */
    public void run(Runnable operation) {
        Recording recording = current.get();
        if (recording == null) {
            operation.run();
        } else {
            recording.operations.add(operation);
        }
    }

    /** Gives up the recording under way, if there is one. */
    public void cannotRecord() {
        if (current.get() != null) {
            throw new UnrecordableException();
        }
    }

    /** What this thread records, or null. */
    @Nullable
    Recording recording() {
        return current.get();
    }

    /** Operations, one after the other, and the blocks of the scopes that they were issued in. */
    final class Recording implements CapturedStep, Blocks {
        private final BlockPool pool;
        private final List<Runnable> operations = new ArrayList<>();
        private final List<Block> taken = new ArrayList<>();
        private final List<Block> free = new ArrayList<>();
        private final Set<Lifetime> used = Collections.newSetFromMap(new IdentityHashMap<>());
        private Runnable[] work = {};
        private Lifetime[] lifetimes = {};
        private boolean closed;

        Recording(BlockPool pool) {
            this.pool = pool;
        }

        /** Takes an array to be there at each replay, unless it ends before the recording does. */
        void uses(Lifetime array) {
            used.add(array);
        }

        private void end() {
            work = operations.toArray(Runnable[]::new);
            lifetimes = used.stream().filter(Lifetime::alive).toArray(Lifetime[]::new);
        }

        @Override
        public void replay() {
            refuse("replay");
            if (closed) {
                throw new IllegalStateException("this captured step is closed");
            }
            for (Lifetime lifetime : lifetimes) {
                if (!lifetime.alive()) {
                    throw new IllegalStateException(
                            "an array of this captured step was released, its scope was closed, or"
                                    + " the cpu backend is");
                }
            }
            for (Runnable operation : work) {
                operation.run();
            }
        }

        // Blocks of the body's scopes: what one gave back the next may take, and nobody else until the step is closed.

        @Override
        public Block take(DType dtype, long capacity) {
            for (int i = free.size() - 1; i >= 0; i--) {
                if (free.get(i).dtype == dtype && free.get(i).capacity >= capacity) {
                    return free.remove(i);
                }
            }
            Block block = pool.take(dtype, capacity);
            taken.add(block);
            return block;
        }

        @Override
        public void give(Block block) {
            free.add(block);
        }

        @Override
        public int blockSize(DType dtype) {
            return SMALL_BLOCK;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                work = new Runnable[0];
                operations.clear();
                taken.forEach(pool::give);
            }
        }
    }
}
