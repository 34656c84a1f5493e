// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The streams that a command prints to, and what it may print there. */
final class Terminal {
    private static final int USUAL_WIDTH = 100;

    /** Java cannot tell whether standard error is a terminal; the launcher does, by this property. */
    private static final String WIDTH_PROPERTY = "fovea.terminal.width";

    /** The same of standard output. */
    private static final String OUT_PROPERTY = "fovea.terminal.out";

    private static final PrintStream NOWHERE =
            new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);

    private final PrintStream out;
    private final PrintStream err;
    private final int columns;
    private final boolean isScreen;
    private final boolean hasColours;
    private boolean quiet;
    private boolean showsStackTraces;

    /**
     * @param out results
     * @param err progress, notes and errors
     * @param columns of the terminal that err goes to, 0 if it goes elsewhere
     * @param isScreen whether out goes to a terminal
     * @param hasColours whether results may have colours
     */
    Terminal(PrintStream out, PrintStream err, int columns, boolean isScreen, boolean hasColours) {
        this.out = out;
        this.err = err;
        this.columns = columns;
        this.isScreen = isScreen;
        this.hasColours = hasColours;
    }

    /** With out to elsewhere, and without colours. */
    Terminal(PrintStream out, PrintStream err, int columns) {
        this(out, err, columns, false, false);
    }

    /** That of this process. */
    static Terminal ofProcess(PrintStream out, PrintStream err) {
        return of(out, err, Integer.getInteger(WIDTH_PROPERTY, 0), Boolean.getBoolean(OUT_PROPERTY), System.getenv());
    }

    /** By variables of the environment: NO_COLOR (no-color.org) turns colours off, and so does a terminal that can't redraw a line. */
    static Terminal of(
            PrintStream out, PrintStream err, int columns, boolean isScreen, Map<String, String> environment) {
        boolean isDumb = "dumb".equals(environment.get("TERM"));
        boolean wantsColours = environment.getOrDefault("NO_COLOR", "").isEmpty();
        return new Terminal(out, err, isDumb ? 0 : columns, isScreen && !isDumb, isScreen && !isDumb && wantsColours);
    }

    PrintStream out() {
        return out;
    }

    /** For errors. */
    PrintStream err() {
        return err;
    }

    /** For progress and notes: what is neither a result nor an error. */
    PrintStream notices() {
        return quiet ? NOWHERE : err;
    }

    /** For results as people read them. Where nothing else is wanted, {@code --json} prints its object alone. */
    PrintStream report(boolean json) {
        return quiet && json ? NOWHERE : out;
    }

    /** Leaves out all but results and errors from now on. */
    void beQuiet() {
        quiet = true;
    }

    boolean isQuiet() {
        return quiet;
    }

    /** Shows where errors come from, from now on. */
    void showStackTraces() {
        showsStackTraces = true;
    }

    boolean showsStackTraces() {
        return showsStackTraces;
    }

    /** Whether a line of notices can be redrawn. */
    boolean isInteractive() {
        return columns > 0 && !quiet;
    }

    int width() {
        return columns > 0 ? columns : USUAL_WIDTH;
    }

    /** Whether results can be drawn over what was shown before. */
    boolean isScreen() {
        return isScreen;
    }

    boolean hasColours() {
        return hasColours;
    }

    /** A text of a result, in the colour or weight that stands for its meaning. */
    String styled(Style style, String text) {
        return hasColours && !text.isEmpty() ? "\033[" + style.code + "m" + text + "\033[0m" : text;
    }

    /** A text out of a file, on one line: it may hold anything, what a terminal takes for a command included. */
    static String printable(String text) {
        return text.replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "?");
    }

    /** What a text is. */
    enum Style {
        HEADING("1"),
        GOOD("32"),
        ACTIVE("36"),
        DOUBTFUL("33"),
        BAD("31");

        private final String code;

        Style(String code) {
            this.code = code;
        }
    }
}
