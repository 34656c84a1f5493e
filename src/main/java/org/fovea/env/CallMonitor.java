// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Tells a watching thread which call of a batch's environments is under way; see {@link StepTimeout}. */
final class CallMonitor {
    private static final long NANOS_TO_HEED_AN_INTERRUPT = 2_000_000_000L;
    private static final VarHandle CALLS;

    static {
        try {
            CALLS = MethodHandles.lookup().findVarHandle(CallMonitor.class, "calls", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final IntFunction<String> where;
    private final double seconds;
    private final Consumer<EnvironmentException> whenStuck;

    /** Odd while a call is under way. Written by the thread that calls, after what describes the call. */
    private long calls;

    private int environment;
    private String method = "";
    private @Nullable Thread caller;

    /** The failure of the call that took too long. */
    private volatile @Nullable EnvironmentException failure;

    // The watching thread's own.
    private long seen;
    private long seenSince;
    private boolean told;

    CallMonitor(IntFunction<String> where, double seconds, Consumer<EnvironmentException> whenStuck) {
        this.where = where;
        this.seconds = seconds;
        this.whenStuck = whenStuck;
    }

    void enter(int i, String name) {
        environment = i;
        method = name;
        caller = Thread.currentThread();
        CALLS.setRelease(this, calls + 1);
    }

    /** @throws EnvironmentException if the call took too long, in place of what it threw itself */
    void leave() {
        CALLS.setRelease(this, calls + 1);
        EnvironmentException late = failure;
        if (late != null) {
            failure = null;
            // It was interrupted for this.
            Thread.interrupted();
            throw late;
        }
    }

    /** Called by the watching thread, from time to time. */
    void look() {
        long now = (long) CALLS.getAcquire(this);
        if (now != seen) {
            seen = now;
            seenSince = System.nanoTime();
            told = false;
            return;
        }
        Thread thread = caller;
        if ((now & 1) == 0 || thread == null) {
            return;
        }
        long nanos = System.nanoTime() - seenSince;
        EnvironmentException late = failure;
        if (late == null && nanos > seconds * 1e9) {
            failure = late(thread);
            thread.interrupt();
        } else if (late != null && !told && nanos > seconds * 1e9 + NANOS_TO_HEED_AN_INTERRUPT) {
            told = true;
            whenStuck.accept(late);
        }
    }

    private EnvironmentException late(Thread thread) {
        // One that waits for a simulator's thread names that as what it is blocked by.
        Thread running = LockSupport.getBlocker(thread) instanceof Thread simulator ? simulator : thread;
        TimeoutException place = new TimeoutException();
        place.setStackTrace(running.getStackTrace());
        String limit = seconds == Math.rint(seconds) ? "" + (long) seconds : "" + seconds;
        return new EnvironmentException(
                where.apply(environment) + ": " + method + " has not returned within " + limit
                        + " seconds, the limit (--step-timeout)",
                place);
    }
}
