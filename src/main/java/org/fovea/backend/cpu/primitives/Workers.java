// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Runs the pieces of a task on a fixed set of threads, the caller's among them. Which thread runs which piece varies, so
 * pieces must not depend on it.
 */
public final class Workers implements AutoCloseable {
    /** Looks for work this many times before sleeping: some ten microseconds, the pause between two operations. */
    private static final int SPINS = 1 << 10;

    /** Below this many floating-point operations, waking a thread costs more than it saves. */
    private static final long PARALLEL_FLOPS = 1_000_000;

    private final int threads;
    private final Thread[] helpers;
    private volatile @Nullable Task task;
    private volatile boolean closed;

    public Workers(int threads) {
        this.threads = threads;
        helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Thread(this::help, "fovea-cpu-" + (i + 1));
            helpers[i].setDaemon(true);
            helpers[i].start();
        }
    }

    public int threads() {
        return threads;
    }

    /** Whether a call to {@link #run} would spread its pieces over several threads. */
    private boolean idle() {
        return helpers.length > 0 && task == null;
    }

    /**
     * Runs {@code body} for each number in {@code [0, count)} and returns when all have ended. Inside a running body it
     * runs everything on the calling thread. The first exception is thrown here after all have ended.
     */
    public void run(int count, IntConsumer body) {
        if (count <= 1 || !idle()) {
            runHere(count, body);
            return;
        }
        Task mine = new Task(count, body);
        task = mine;
        for (int i = 0; i < helpers.length && i < count - 1; i++) {
            LockSupport.unpark(helpers[i]);
        }
        try {
            mine.work();
            mine.await();
        } finally {
            task = null;
        }
        mine.rethrow();
    }

    private static void runHere(int count, IntConsumer body) {
        Throwable failure = null;
        for (int i = 0; i < count; i++) {
            try {
                body.accept(i);
            } catch (Throwable thrown) {
                failure = withSuppressed(failure, thrown);
            }
        }
        rethrow(failure);
    }

    private static Throwable withSuppressed(@Nullable Throwable first, Throwable next) {
        if (first == null) {
            return next;
        }
        if (first != next) {
            first.addSuppressed(next);
        }
        return first;
    }

    private static void rethrow(@Nullable Throwable failure) {
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure instanceof RuntimeException exception) {
            throw exception;
        }
        if (failure != null) {
            throw new IllegalStateException(failure);
        }
    }

    /** Runs {@code count} pieces, on several threads if the work is worth it. The cut must not depend on threads. */
    void run(int count, long flops, IntConsumer piece) {
        if (count > 1 && flops >= PARALLEL_FLOPS && idle()) {
            run(count, piece);
        } else {
            for (int i = 0; i < count; i++) {
                piece.accept(i);
            }
        }
    }

    private void help() {
        Task last = null;
        while (!closed) {
            Task next = await(last);
            if (next != null) {
                next.work();
                last = next;
            }
        }
    }

    /** The task after {@code last}, or null if there was none for a while. */
    private @Nullable Task await(@Nullable Task last) {
        for (int i = 0; i < SPINS; i++) {
            Task next = task;
            if (next != null && next != last) {
                return next;
            }
            Thread.onSpinWait();
        }
        LockSupport.park(this);
        return null;
    }

    @Override
    public void close() {
        closed = true;
        for (Thread helper : helpers) {
            LockSupport.unpark(helper);
        }
    }

    /** Pieces handed out in order, and a count of those that have ended. */
    private static final class Task {
        private final int count;
        private final IntConsumer body;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger ended = new AtomicInteger();
        private final Thread owner = Thread.currentThread();
        private @Nullable Throwable failure;

        Task(int count, IntConsumer body) {
            this.count = count;
            this.body = body;
        }

        void work() {
            for (int piece = next.getAndIncrement(); piece < count; piece = next.getAndIncrement()) {
                try {
                    body.accept(piece);
                } catch (Throwable thrown) {
                    fail(thrown);
                } finally {
                    if (ended.incrementAndGet() == count) {
                        LockSupport.unpark(owner);
                    }
                }
            }
        }

        void await() {
            for (int i = 0; ended.get() < count; i++) {
                if (i < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
        }

        private synchronized void fail(Throwable thrown) {
            failure = withSuppressed(failure, thrown);
        }

        synchronized void rethrow() {
            Workers.rethrow(failure);
        }
    }
}
