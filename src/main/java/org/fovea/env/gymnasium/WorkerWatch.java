// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import java.io.IOException;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Starts workers, and ends those that do not come forward. Each has a watch of its own in Python, but that stands still where native
 * code does, or where the process was stopped.
 *
 * <p>All are started by one thread, which never ends: Linux ends them when the thread that started them does.
 */
final class WorkerWatch {
    private static final long INTERVAL_MILLIS = 200;
    private static final Map<PythonWorker, Seen> WORKERS = new ConcurrentHashMap<>();
    private static final ScheduledExecutorService THREAD = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "watch over Python");
        thread.setDaemon(true);
        return thread;
    });

    static {
        ScheduledFuture<?> unused = THREAD.scheduleWithFixedDelay(
                () -> WORKERS.forEach(WorkerWatch::look), INTERVAL_MILLIS, INTERVAL_MILLIS, TimeUnit.MILLISECONDS);
    }

    private WorkerWatch() {}

    /** How far a worker was, and since when. */
    private record Seen(long progress, long nanos) {}

    static Process start(ProcessBuilder builder) throws IOException {
        try {
            return THREAD.submit(builder::start).get();
        } catch (ExecutionException e) {
            Throwable cause = Objects.requireNonNull(e.getCause());
            throw new IOException(cause.getMessage(), cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    static void add(PythonWorker worker) {
        WORKERS.put(worker, new Seen(-1, System.nanoTime()));
    }

    static void remove(PythonWorker worker) {
        WORKERS.remove(worker);
    }

    private static void look(PythonWorker worker, Seen last) {
        long now = System.nanoTime();
        long progress = worker.progress();
        if (progress != last.progress) {
            WORKERS.replace(worker, new Seen(progress, now));
        } else if (progress >= 0 && (now - last.nanos) * 1e-9 > worker.patience()) {
            worker.endForTimeout();
        }
    }
}
