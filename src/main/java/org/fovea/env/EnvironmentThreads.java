// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * Threads that step the environments of a run, beside those that compute. They are started when they are first needed, and
 * change how fast a run is, never what comes of it.
 */
public final class EnvironmentThreads implements AutoCloseable {
    private static final long MILLIS_TO_END = 1000;

    private final int count;
    private final List<Thread> threads = new ArrayList<>();
    private final Queue<Runnable> tasks = new ArrayDeque<>();
    private boolean closed;

    /**
     * Threads that are yet to be started.
     *
     * @param count more than there are cores where environments wait for something else; 0 for one per core
     */
    public EnvironmentThreads(int count) {
        if (count < 0) {
            throw new IllegalArgumentException("there cannot be " + count + " threads for environments");
        }
        this.count = count == 0 ? Runtime.getRuntime().availableProcessors() : count;
    }

    /** How many there are. */
    public int count() {
        return count;
    }

    /** Runs a task, which must not throw, on one of them. */
    synchronized void run(Runnable task) {
        if (closed) {
            throw new IllegalStateException("the threads of environments have ended");
        }
        while (threads.size() < count) {
            Thread thread = new Thread(this::work, "fovea-env-" + (threads.size() + 1));
            thread.setDaemon(true);
            threads.add(thread);
            thread.start();
        }
        tasks.add(task);
        notify();
    }

    private void work() {
        for (Runnable task = next(); task != null; task = next()) {
            task.run();
        }
    }

    private synchronized @Nullable Runnable next() {
        while (tasks.isEmpty()) {
            if (closed) {
                return null;
            }
            try {
                wait();
            } catch (InterruptedException e) {
                // Left behind by an environment: whoever closes this says so by `closed`.
            }
        }
        return tasks.remove();
    }

    /** Ends them, all tasks being done. */
    @Override
    public void close() {
        List<Thread> ending;
        synchronized (this) {
            closed = true;
            ending = List.copyOf(threads);
            notifyAll();
        }
        try {
            for (Thread thread : ending) {
                thread.join(MILLIS_TO_END);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
