// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.PrintStream;
import org.fovea.env.gymnasium.PythonException;

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
            if (now instanceof PythonException python) {
                python.traceback().lines().forEach(text -> err.println("    " + text.replaceAll("\\p{Cntrl}", "?")));
            } else {
                printFrames(err, now.getStackTrace());
            }
            Throwable cause = now.getCause();
            now = cause == now ? null : cause;
        }
    }

    private static void printFrames(PrintStream err, StackTraceElement[] frames) {
        // What Fovea found wrong with a call is thrown by its own code, which is on top then.
        int first = 0;
        while (first < frames.length && isCaller(frames[first])) {
            first++;
        }
        int end = first;
        while (end < frames.length && !isCaller(frames[end])) {
            end++;
        }
        int shown = Math.min(end, first + MOST_FRAMES);
        for (int i = first; i < shown; i++) {
            err.println(line("    at " + frames[i]));
        }
        if (shown < end) {
            err.println("    ... " + (end - shown) + " more");
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
