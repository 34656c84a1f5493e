// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.FileDescriptor;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/** The {@code fovea} command. */
public final class Fovea {
    /** Names the file that is the launcher's standard error; for this process alone. */
    static final String STANDARD_ERROR_PROPERTY = "fovea.stderr";

    private Fovea() {}

    /**
     * Runs one command and exits with its code: 0, 1 where it failed, 2 where what was asked for cannot be, 3 where this
     * machine lacks the backend that was asked for, 130 where it was interrupted (143 by SIGTERM).
     */
    public static void main(String... args) {
        PrintStream out = utf8(new FileOutputStream(FileDescriptor.out));
        PrintStream err = standardError();
        System.setErr(err);
        Interruption interruption = Interruption.ofProcess(err);
        System.exit(interruption.finish(run(Terminal.ofProcess(out, err), interruption, args)));
    }

    /**
     * The launcher filters what the virtual machine writes to its standard error, through a pipe that could deliver after
     * this process has ended; the real one is passed by name. Appending, since it may be a file that others write to.
     */
    private static PrintStream standardError() {
        String path = System.getProperty(STANDARD_ERROR_PROPERTY);
        if (path != null) {
            try {
                return utf8(new FileOutputStream(path, true));
            } catch (FileNotFoundException notOpenable) {
                // A socket, or a file of somebody else: the filter serves as well.
                return utf8(new FileOutputStream(FileDescriptor.err));
            }
        }
        return utf8(new FileOutputStream(FileDescriptor.err));
    }

    /** Runs one command and returns its exit code. */
    static int run(Terminal terminal, Interruption interruption, String... args) {
        FoveaCommand root = new FoveaCommand(terminal);
        CommandLine commandLine = commandLine(root, terminal, interruption).setExecutionStrategy(parsed -> {
            root.applyOptions();
            return new CommandLine.RunLast().execute(parsed);
        });
        try {
            return commandLine.execute(args);
        } catch (Error failure) {
            // What the line above passes on.
            return Failures.report(failure, commandLine, terminal);
        }
    }

    /** What parses and runs a command, and reports its failures. */
    static CommandLine commandLine(Object command, Terminal terminal, Interruption interruption) {
        return new CommandLine(command, new CommandFactory(terminal, interruption))
                // A name that begins with @ is that of a file, not of one full of arguments.
                .setExpandAtFiles(false)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setOut(new PrintWriter(terminal.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(terminal.err(), true, StandardCharsets.UTF_8))
                .setColorScheme(CommandLine.Help.defaultColorScheme(terminal.hasColours() ? Ansi.ON : Ansi.OFF))
                .setUsageHelpWidth(Math.max(60, Math.min(terminal.width(), 110)))
                .setParameterExceptionHandler((failure, arguments) -> Failures.report(failure, terminal))
                .setExecutionExceptionHandler((failure, line, result) -> Failures.report(failure, line, terminal));
    }

    private static PrintStream utf8(OutputStream out) {
        return new PrintStream(out, true, StandardCharsets.UTF_8);
    }
}
