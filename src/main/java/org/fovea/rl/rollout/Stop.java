package org.fovea.rl.rollout;

import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;

/**
 * Says to all who play whether to go on, and hears from them how far they are. A request is met at the end of the iteration; one that is not met so for two
 * seconds, and a failure, at the next step.
 */
public final class Stop {
    private static final long PATIENCE_NANOS = 2_000_000_000L;

    private final BooleanSupplier request;
    private final LongConsumer listener;
    private final LongAdder steps = new LongAdder();

    /** When the request was first seen, by {@link System#nanoTime}; valid once {@link #seen}. */
    private volatile long seenNanos;

    private volatile boolean seen;
    private volatile boolean failed;

    public Stop(BooleanSupplier request) {
        this(request, steps -> {});
    }

    /** @param listener told of the number of steps that were played, again and again, by the threads that play */
    public Stop(BooleanSupplier request, LongConsumer listener) {
        this.request = request;
        this.listener = listener;
    }

    public void played(int more) {
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

    /** Whether to stop at once. */
    public boolean now() {
        return failed || (requested() && System.nanoTime() - seenNanos > PATIENCE_NANOS);
    }

    /** Does work that others do too; if it fails, they are to stop at once. */
    public void unlessItFails(Runnable work) {
        try {
            work.run();
        } catch (Throwable failure) {
            failed = true;
            throw failure;
        }
    }
}
