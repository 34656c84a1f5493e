// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The effect of signals (Ctrl-C, SIGTERM, a closed terminal) on a command. Work that can come to an orderly end declares itself
 * by {@link #during}: the first signal then only asks it to, and says so at once, whatever the work is busy with. Without
 * such work the first signal exits. The second halts the virtual machine in any case, code that hangs included. The exit
 * code is 128 and the signal's number.
 */
final class Interruption {
    private static final int SIGNAL_EXIT = 128;
    private static final int HANGUP = 1;
    private static final int INTERRUPT = 2;
    private static final int TERMINATE = 15;
    private static final long MOST_MILLIS_TO_SPEAK = 500;

    private final PrintStream err;
    private final AtomicInteger exitCode = new AtomicInteger();
    private volatile @Nullable Work work;
    private volatile boolean finished;

    private Interruption(PrintStream err) {
        this.err = err;
    }

    /** One that no signal reaches. */
    static Interruption none(PrintStream err) {
        return new Interruption(err);
    }

    /** That of this process, whose signals it handles from now on. */
    static Interruption ofProcess(PrintStream err) {
        Interruption interruption = new Interruption(err);
        if (System.getenv(RankLauncher.LAUNCHED) != null) {
            interruption.obeyLauncher();
            return interruption;
        }
        Signals.handle("INT", () -> interruption.received(SIGNAL_EXIT + INTERRUPT));
        Signals.handle("TERM", () -> interruption.received(SIGNAL_EXIT + TERMINATE));
        Signals.handle("HUP", () -> interruption.received(SIGNAL_EXIT + HANGUP));
        Runtime.getRuntime().addShutdownHook(new Thread(interruption::exitedByOthers, "exit of the virtual machine"));
        return interruption;
    }

    /** Signals of a terminal come to all ranks and their launcher, which is the one to say what they do. */
    private void obeyLauncher() {
        Signals.handle("INT", () -> {});
        Signals.handle("HUP", () -> {});
        Signals.handle("TERM", () -> exitCode.compareAndSet(0, SIGNAL_EXIT + TERMINATE));
        Thread listener = new Thread(
                () -> {
                    try {
                        while (System.in.read() >= 0) {
                            exitCode.compareAndSet(0, SIGNAL_EXIT + INTERRUPT);
                        }
                    } catch (IOException e) {
                        // As if it had ended.
                    }
                    Runtime.getRuntime().halt(Failures.FAILED);
                },
                "launcher");
        listener.setDaemon(true);
        listener.start();
    }

    /** Whether the work should end. */
    boolean requested() {
        return exitCode.get() != 0;
    }

    /** What is done by {@link #during}. */
    interface Task<E extends Exception> {
        /** Does it, and returns an exit code. */
        int run() throws E;
    }

    /**
     * Does work that asks {@link #requested}.
     *
     * @param left says what is left of it if it is cut off
     */
    <E extends Exception> int during(String name, Supplier<String> left, Task<E> task) throws E {
        work = new Work(name, left);
        try {
            return task.run();
        } finally {
            work = null;
        }
    }

    /** The command has ended; returns the exit code of the process. */
    int finish(int code) {
        finished = true;
        return requested() ? exitCode.get() : code;
    }

    private void received(int code) {
        Work now = work;
        if (!exitCode.compareAndSet(0, code)) {
            say("stopped at once" + (now == null ? "" : ". " + now.left()));
            Runtime.getRuntime().halt(exitCode.get());
        } else if (now == null) {
            System.exit(code);
        } else {
            say("stopping " + now.name() + " in an orderly way; a second signal (Ctrl-C) stops it at once");
        }
    }

    /** A program that is ended from within, by an environment for one, must not look as if it had succeeded. */
    private void exitedByOthers() {
        if (!finished && !requested()) {
            Work now = work;
            say("the program was ended from within, by a call of System.exit"
                    + (now == null ? "" : " during " + now.name() + ". " + now.left()));
            Runtime.getRuntime().halt(Failures.FAILED);
        }
    }

    /** Prints a line, but does not wait for a stream that is stuck. */
    private void say(String line) {
        Thread speaker = new Thread(
                () -> {
                    err.println();
                    err.println("fovea: " + line);
                },
                "interruption");
        speaker.setDaemon(true);
        speaker.start();
        try {
            speaker.join(MOST_MILLIS_TO_SPEAK);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Work under way. */
    private record Work(String name, Supplier<String> whatIsLeft) {
        String left() {
            return whatIsLeft.get();
        }
    }
}
