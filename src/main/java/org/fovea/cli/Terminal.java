// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.PrintStream;

/**
 * The streams that a command prints to.
 *
 * @param out results
 * @param err progress and errors
 * @param columns of the terminal that err goes to, 0 if it goes elsewhere
 */
record Terminal(PrintStream out, PrintStream err, int columns) {
    private static final int USUAL_WIDTH = 100;

    /** Java cannot tell whether standard error is a terminal; the launcher does, by this property. */
    private static final String WIDTH_PROPERTY = "fovea.terminal.width";

    static Terminal ofProcess(PrintStream out, PrintStream err) {
        return new Terminal(out, err, Integer.getInteger(WIDTH_PROPERTY, 0));
    }

    /** Whether a line can be redrawn. */
    boolean isInteractive() {
        return columns > 0;
    }

    int width() {
        return isInteractive() ? columns : USUAL_WIDTH;
    }
}
