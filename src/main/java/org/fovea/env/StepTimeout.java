// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * How long one call of an environment's {@code reset} or {@code step} may take, in this process; no limit by default. It holds
 * for environments that are made after it is set.
 *
 * <p>A thread looks ten times within the limit whether every call that is under way is another than before. For one that isn't
 * it interrupts the thread that made the call; when that ends the call, the run fails with an {@link EnvironmentException}
 * that says which environment it was and where in its code.
 */
public final class StepTimeout {
    private static final double LONGEST_PAUSE_SECONDS = 0.5;

    private static final List<CallMonitor> MONITORS = new CopyOnWriteArrayList<>();
    private static volatile double seconds = Double.POSITIVE_INFINITY;
    private static volatile Consumer<EnvironmentException> whenStuck = failure -> {};
    private static boolean watching;

    private StepTimeout() {}

    /**
     * Sets the limit.
     *
     * @param limit in seconds; infinity for none
     * @param stuck told of a call that an interrupt does not end, either. Java has no means to end it but to end the process
     */
    public static void set(double limit, Consumer<EnvironmentException> stuck) {
        if (!(limit > 0)) {
            throw new IllegalArgumentException("the time limit of a step must be greater than 0 seconds, got " + limit);
        }
        seconds = limit;
        whenStuck = stuck;
    }

    /** The limit in seconds; infinity for none. */
    public static double seconds() {
        return seconds;
    }

    /**
     * A monitor for calls of environments, or null if there is no limit.
     *
     * @param where names the environment of an index, its episode and step; called by another thread
     */
    static @Nullable CallMonitor monitor(IntFunction<String> where) {
        if (seconds == Double.POSITIVE_INFINITY) {
            return null;
        }
        CallMonitor monitor = new CallMonitor(where, seconds, whenStuck);
        MONITORS.add(monitor);
        watch();
        return monitor;
    }

    static void forget(CallMonitor monitor) {
        MONITORS.remove(monitor);
    }

    private static synchronized void watch() {
        if (!watching) {
            watching = true;
            Thread watcher = new Thread(StepTimeout::look, "fovea-step-timeout");
            watcher.setDaemon(true);
            watcher.start();
        }
    }

    private static void look() {
        try {
            while (isNeeded()) {
                MONITORS.forEach(CallMonitor::look);
                Thread.sleep((long) Math.ceil(1000 * Math.min(seconds / 10, LONGEST_PAUSE_SECONDS)));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static synchronized boolean isNeeded() {
        watching = !MONITORS.isEmpty();
        return watching;
    }
}
