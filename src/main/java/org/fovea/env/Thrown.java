package org.fovea.env;

/** Words for what the code of an environment threw. */
final class Thrown {
    private static final int LONGEST = 400;

    private Thrown() {}

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

    /** Whether a {@link Space} refused to be made as the environment wanted it. */
    static boolean isBySpace(Throwable thrown) {
        StackTraceElement[] frames = thrown.getStackTrace();
        return thrown instanceof IllegalArgumentException
                && frames.length > 0
                && frames[0].getClassName().startsWith(Space.class.getName());
    }
}
