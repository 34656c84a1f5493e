// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.function.Supplier;

/** Exceptions for what the code of an environment throws. */
final class EnvironmentFailures {
    private static final int LONGEST = 400;

    private EnvironmentFailures() {}

    /**
     * The exception for what a method of an environment threw: an {@link InvalidEnvironmentException} if a {@link Space}
     * refused to be made as the environment wanted it, else an {@link EnvironmentException}.
     */
    static RuntimeException of(String where, String method, Throwable thrown) {
        StackTraceElement[] frames = thrown.getStackTrace();
        boolean isBySpace = thrown instanceof IllegalArgumentException
                && frames.length > 0
                && frames[0].getClassName().startsWith(Space.class.getName());
        return isBySpace
                ? new InvalidEnvironmentException(where + ": " + thrown.getMessage())
                : new EnvironmentException(where + ": " + method + " threw " + describe(thrown), thrown);
    }

    /** What {@code work} gives; an environment that it finds to be invalid is named. */
    static <T> T named(String name, Supplier<T> work) {
        try {
            return work.get();
        } catch (InvalidEnvironmentException e) {
            throw new InvalidEnvironmentException(name + ": " + e.getMessage());
        }
    }

    /** Class and message, in one line of limited length. */
    static String describe(Throwable thrown) {
        String text;
        try {
            text = thrown.toString();
        } catch (RuntimeException | StackOverflowError unprintable) {
            text = thrown.getClass().getName();
        }
        return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "...";
    }

    /** Closes environments after {@code failure}, to which their own are added. */
    static void closeAll(Iterable<? extends AutoCloseable> environments, Throwable failure) {
        for (AutoCloseable environment : environments) {
            try {
                environment.close();
            } catch (Throwable alsoFailed) {
                failure.addSuppressed(alsoFailed);
            }
        }
    }
}
