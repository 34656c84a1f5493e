// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.Backends;
import org.jspecify.annotations.Nullable;

/**
 * A backend that any thread may use, one at a time: the CPU's on the thread that calls, behind a lock, and any other on a
 * thread of its own, to which a device's context belongs.
 */
final class Device implements AutoCloseable {
    private final ReentrantLock lock = new ReentrantLock();
    private final HostCopies copies = new HostCopies();
    private final Backend backend;
    private final @Nullable ExecutorService owner;
    private final @Nullable DeviceArrays arrays;
    private boolean closed;

    private Device(Backend backend, @Nullable ExecutorService owner, @Nullable DeviceArrays arrays) {
        this.backend = backend;
        this.owner = owner;
        this.arrays = arrays;
    }

    /**
     * Opens a backend by name, as {@link Backends#open} does.
     *
     * @param arrays where ND4J has its arrays on a device, or null where that is the host's memory
     */
    static Device open(String name, BackendSettings settings, @Nullable DeviceArrays arrays) {
        ExecutorService thread = Executors.newSingleThreadExecutor(work -> {
            Thread made = new Thread(work, "fovea-attention");
            made.setDaemon(true);
            return made;
        });
        boolean kept = false;
        try {
            Backend backend =
                    await(thread.submit(() -> Backends.open(name, settings).backend()));
            kept = !backend.name().equals("cpu");
            return new Device(backend, kept ? thread : null, arrays);
        } finally {
            if (!kept) {
                thread.shutdown();
            }
        }
    }

    /** Only for work that runs in {@link #call}, but for its name and what describes it. */
    Backend backend() {
        return backend;
    }

    /** Likewise. */
    HostCopies copies() {
        return copies;
    }

    /** Where ND4J has its arrays on a device, or null where that is the host's memory. */
    @Nullable
    DeviceArrays arrays() {
        return arrays;
    }

    /** Runs work with the backend to itself, and waits for it. */
    <T> T call(Supplier<T> work) {
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException("this AttentionEngine is closed; open another");
            }
            return owner == null ? work.get() : await(owner.submit(work::get));
        } finally {
            lock.unlock();
        }
    }

    /** Whether nothing more can be asked of it. */
    boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    private static <T> T await(Future<T> result) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return result.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof RuntimeException failure) {
                        throw failure;
                    }
                    if (e.getCause() instanceof Error error) {
                        throw error;
                    }
                    throw new IllegalStateException(e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            call(() -> {
                backend.close();
                return backend;
            });
            closed = true;
            if (owner != null) {
                owner.shutdown();
            }
        } finally {
            lock.unlock();
        }
    }
}
