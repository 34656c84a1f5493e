// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Ends workers that do not come forward. Each has a watch of its own in Python, but that stands still where native code does, or
 * where the process was stopped.
 */
final class WorkerWatch {
    private static final long INTERVAL_MILLIS = 200;
    private static final Map<PythonWorker, Seen> WORKERS = new ConcurrentHashMap<>();
    private static boolean running;

    private WorkerWatch() {}

    /** How far a worker was, and since when. */
    private record Seen(long progress, long nanos) {}

    static void add(PythonWorker worker) {
        WORKERS.put(worker, new Seen(-1, System.nanoTime()));
        synchronized (WorkerWatch.class) {
            if (!running) {
                running = true;
                Thread thread = new Thread(WorkerWatch::watch, "watch over Python");
                thread.setDaemon(true);
                thread.start();
            }
        }
    }

    static void remove(PythonWorker worker) {
        WORKERS.remove(worker);
    }

    private static void watch() {
        try {
            while (true) {
                Thread.sleep(INTERVAL_MILLIS);
                WORKERS.forEach(WorkerWatch::look);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
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
