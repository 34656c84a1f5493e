// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Locale;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** From which level on what Fovea logs, by {@link System.Logger}, is printed. */
enum LogLevel {
    OFF(Level.OFF),
    ERROR(Level.SEVERE),
    WARNING(Level.WARNING),
    INFO(Level.INFO),
    DEBUG(Level.FINE),
    TRACE(Level.FINER);

    /** What the loggers of {@link System} are in a virtual machine that has the module java.logging; kept, lest it is collected. */
    private static final Logger FOVEA = Logger.getLogger("org.fovea");

    private final Level level;

    LogLevel(Level level) {
        this.level = level;
    }

    /** Prints messages from this level on to a terminal's standard error, one line each, in place of what was done before. */
    void apply(Terminal terminal) {
        for (Handler before : FOVEA.getHandlers()) {
            FOVEA.removeHandler(before);
        }
        FOVEA.setUseParentHandlers(false);
        FOVEA.addHandler(new Lines(terminal));
        FOVEA.setLevel(level);
    }

    /** The name of the nearest level. */
    private static String name(Level level) {
        LogLevel found = TRACE;
        for (LogLevel each : values()) {
            if (each != OFF && level.intValue() >= each.level.intValue()) {
                found = each;
                break;
            }
        }
        return found.toString();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    private static final class Lines extends Handler {
        private final Terminal terminal;

        Lines(Terminal terminal) {
            this.terminal = terminal;
            setFormatter(new SimpleFormatter());
        }

        @Override
        public void publish(LogRecord message) {
            String source = message.getLoggerName();
            // Over a line that is being redrawn.
            terminal.err()
                    .println((terminal.isInteractive() ? "\r\033[K" : "") + "fovea: " + name(message.getLevel()) + ": "
                            + source.substring(source.lastIndexOf('.') + 1) + ": "
                            + getFormatter().formatMessage(message).replaceAll("\\s*\\R\\s*", " "));
            if (message.getThrown() != null && terminal.showsStackTraces()) {
                message.getThrown().printStackTrace(terminal.err());
            }
        }

        @Override
        public void flush() {
            terminal.err().flush();
        }

        @Override
        public void close() {
            // The terminal is not its own.
        }
    }
}
