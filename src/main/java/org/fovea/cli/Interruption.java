package org.fovea.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Lets work that is interrupted (Ctrl-C, or SIGTERM) come to an orderly end: while one is open, the virtual machine does
 * not exit before it is closed. The exit code is the machine's own, 130 or 143.
 */
final class Interruption implements AutoCloseable {
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Terminal terminal;
    private final Thread hook = new Thread(this::interrupt, "interruption");
    private volatile boolean requested;

    Interruption(Terminal terminal) {
        this.terminal = terminal;
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** Whether the work should end. */
    boolean requested() {
        return requested;
    }

    private void interrupt() {
        requested = true;
        terminal.err().println();
        terminal.err().println("stopping after this iteration");
        try {
            closed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed.countDown();
        if (!requested) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException exiting) {
                // The machine began to exit since the line above; the hook no longer waits.
                return;
            }
        }
    }
}
