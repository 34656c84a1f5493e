package org.fovea.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/** The {@code fovea} command. */
public final class Main {
    private Main() {}

    /** Runs one command and exits with its code: 0, 1 where it failed, 2 where what was asked for cannot be. */
    public static void main(String[] args) {
        // The launcher asks for UTF-8 output; a stream of our own does not depend on having been started by it.
        PrintStream out = utf8(FileDescriptor.out);
        PrintStream err = utf8(FileDescriptor.err);
        System.exit(run(Terminal.ofProcess(out, err), args));
    }

    /** Runs one command and returns its exit code. */
    static int run(Terminal terminal, String... args) {
        CommandLine commandLine = new CommandLine(new FoveaCommand(), new CommandFactory(terminal))
                .setOut(new PrintWriter(terminal.out(), true))
                .setErr(new PrintWriter(terminal.err(), true))
                .setColorScheme(CommandLine.Help.defaultColorScheme(terminal.isInteractive() ? Ansi.ON : Ansi.OFF))
                .setUsageHelpWidth(Math.max(60, Math.min(terminal.width(), 110)))
                .setParameterExceptionHandler((failure, arguments) -> Failures.report(failure, terminal))
                .setExecutionExceptionHandler(
                        (failure, command, result) -> Failures.report(failure, command, terminal));
        return commandLine.execute(args);
    }

    private static PrintStream utf8(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
    }
}
