// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.IntPredicate;
import java.util.function.LongConsumer;
import org.fovea.backend.Backend;

/**
 * Tells all threads that play whether to continue, and counts the steps that they report. A request is met at the end of the
 * iteration; one that is not met so for two seconds, and a failure, at the next step.
 */
public final class StopSignal {
    private static final long PATIENCE_NANOS = 2_000_000_000L;

    private final BooleanSupplier request;
    private final LongConsumer listener;
    private final LongAdder steps = new LongAdder();

    /** When the request was first seen, by {@link System#nanoTime}; valid once {@link #seen}. */
    private volatile long seenNanos;

    private volatile boolean seen;
    private volatile boolean failed;

    /** A signal that is given once {@code request} is true. */
    public StopSignal(BooleanSupplier request) {
        this(request, steps -> {});
    }

    /**
     * A signal that counts steps, too.
     *
     * @param listener told of the number of steps that were played, again and again, by the threads that play
     */
    public StopSignal(BooleanSupplier request, LongConsumer listener) {
        this.request = request;
        this.listener = listener;
    }

    void played(int more) {
        steps.add(more);
        listener.accept(steps.sum());
    }

    /** Whether to stop where an iteration ends. */
    public boolean requested() {
        if (!seen && request.getAsBoolean()) {
            seenNanos = System.nanoTime();
            seen = true;
        }
        return seen;
    }

    /** Whether to stop at once, since part of the work failed. */
    public boolean failed() {
        return failed;
    }

    /** Whether to stop at once. */
    boolean now() {
        return failed || (requested() && System.nanoTime() - seenNanos > PATIENCE_NANOS);
    }

    /**
     * Does the parts of some work side by side. If one fails, the others see it here, and what it threw is thrown.
     *
     * @return for how many parts {@code work} was true
     */
    public int count(Backend backend, int parts, IntPredicate work) {
        boolean[] outcomes = new boolean[parts];
        backend.forEachShard(parts, part -> {
            try {
                outcomes[part] = work.test(part);
            } catch (Throwable failure) {
                failed = true;
                throw failure;
            }
        });
        int count = 0;
        for (boolean outcome : outcomes) {
            count += outcome ? 1 : 0;
        }
        return count;
    }
}
