// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

/** A line at the end of what a terminal shows, drawn again and again; elsewhere every drawing is a line of its own. */
final class StatusLine {
    private final Terminal terminal;
    private boolean drawn;

    StatusLine(Terminal terminal) {
        this.terminal = terminal;
    }

    /** What it has room for. */
    int width() {
        return terminal.width() - 1;
    }

    /** Replaces the line. */
    synchronized void show(String line) {
        if (!terminal.isInteractive()) {
            terminal.notices().println(line);
            return;
        }
        String fitting = line.length() > width() ? line.substring(0, width()) : line;
        terminal.notices().print('\r' + fitting + " ".repeat(width() - fitting.length()));
        terminal.notices().flush();
        drawn = true;
    }

    /** Prints a line that stays, above this one. */
    synchronized void print(String line) {
        erase();
        terminal.notices().println(line);
    }

    /** Takes the line away. */
    synchronized void erase() {
        if (drawn) {
            terminal.notices().print('\r' + " ".repeat(width()) + '\r');
            terminal.notices().flush();
            drawn = false;
        }
    }

    /** Leaves the line as it is, and goes on below. */
    synchronized void end() {
        if (drawn) {
            terminal.notices().println();
            drawn = false;
        }
    }
}
