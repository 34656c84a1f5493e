// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.PrintStream;

/** Prints where in a user's code an exception came from: its own frames, and not those of Fovea that called it. */
final class UserTrace {
    private static final int MOST_FRAMES = 12;
    private static final int MOST_CAUSES = 3;
    private static final int LONGEST_LINE = 400;

    /** What calls an environment. */
    private static final String CALLERS = "org.fovea.env.";

    private UserTrace() {}

    static void print(PrintStream err, Throwable thrown) {
        Throwable now = thrown;
        for (int causes = 0; now != null && causes <= MOST_CAUSES; causes++) {
            if (causes > 0) {
                err.println(line("  caused by " + describe(now)));
            }
            printFrames(err, now.getStackTrace());
            Throwable cause = now.getCause();
            now = cause == now ? null : cause;
        }
    }

    private static void printFrames(PrintStream err, StackTraceElement[] frames) {
        int users = 0;
        while (users < frames.length && !isCaller(frames[users])) {
            users++;
        }
        int shown = Math.min(users, MOST_FRAMES);
        for (int i = 0; i < shown; i++) {
            err.println(line("    at " + frames[i]));
        }
        if (shown < users) {
            err.println("    ... " + (users - shown) + " more");
        }
    }

    private static boolean isCaller(StackTraceElement frame) {
        String name = frame.getClassName();
        // The tests' own environments are in that package, too, but nested.
        return name.startsWith(CALLERS) && !name.contains("Test$");
    }

    private static String describe(Throwable thrown) {
        try {
            return thrown.toString();
        } catch (RuntimeException | StackOverflowError unprintable) {
            return thrown.getClass().getName();
        }
    }

    private static String line(String text) {
        String oneLine = text.replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "?");
        return oneLine.length() <= LONGEST_LINE ? oneLine : oneLine.substring(0, LONGEST_LINE) + "...";
    }
}
