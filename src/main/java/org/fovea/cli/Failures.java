// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.fovea.attentionfile.InvalidRequestException;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.memory.DeviceException;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.fovea.env.EnvironmentException;
import org.fovea.env.InvalidEnvironmentException;
import org.fovea.env.NearestNames;
import org.fovea.env.UnknownNameException;
import org.fovea.onnx.NotExportableException;
import org.fovea.rl.run.RunInUseException;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns exceptions into one line and an exit code; only unforeseen ones show a stack trace. */
final class Failures {
    static final int FAILED = 1;
    static final int USAGE = 2;
    static final int UNAVAILABLE = 3;

    /** Of what nobody foresaw, whose stack trace is shown in any case; the process ends with {@link #FAILED}. */
    private static final int BUG = -1;

    private Failures() {}

    /** For arguments that could not be parsed. */
    static int report(ParameterException failure, Terminal terminal) {
        CommandSpec command = failure.getCommandLine().getCommandSpec();
        String message = message(failure);
        if (failure instanceof UnmatchedArgumentException unmatched
                && !unmatched.getUnmatched().isEmpty()) {
            message = unknown(command, unmatched.getUnmatched().get(0));
        }
        message = Character.toLowerCase(message.charAt(0))
                + message.substring(1)
                        .replaceAll(" is not an? (int|long)$", " is not a whole number")
                        .replaceAll(" is not a double$", " is not a number");
        return print(
                terminal, command.qualifiedName(), message + " (try '" + command.qualifiedName() + " --help')", USAGE);
    }

    private static String unknown(CommandSpec command, String argument) {
        boolean isOption = argument.startsWith("-");
        if (!isOption && command.subcommands().isEmpty()) {
            return "unexpected argument '" + argument + "'";
        }
        String name = isOption && argument.contains("=") ? argument.substring(0, argument.indexOf('=')) : argument;
        List<String> valid = isOption
                ? new ArrayList<>(command.optionsMap().keySet())
                : new ArrayList<>(command.subcommands().keySet());
        return "unknown " + (isOption ? "option" : "command") + " '" + name + "'; nearest: "
                + String.join(", ", NearestNames.of(name, valid));
    }

    /** For commands that failed. */
    static int report(Throwable failure, CommandLine commandLine, Terminal terminal) {
        return report(failure, commandLine.getCommandSpec().qualifiedName(), terminal);
    }

    /** For something that failed. */
    static int report(Throwable failure, String name, Terminal terminal) {
        int code = reportLine(failure, name, terminal);
        if (terminal.showsStackTraces() && code != BUG) {
            failure.printStackTrace(terminal.err());
        }
        return code == BUG ? FAILED : code;
    }

    private static int reportLine(Throwable failure, String name, Terminal terminal) {
        if (failure instanceof UsageException
                || failure instanceof UnknownNameException
                || failure instanceof InvalidRequestException
                || failure instanceof InvalidEnvironmentException
                || failure instanceof NotExportableException
                || failure instanceof RunInUseException
                || failure instanceof UnsupportedOnBackendException) {
            return print(terminal, name, message(failure), USAGE);
        }
        if (failure instanceof BackendUnavailableException) {
            return print(terminal, name, message(failure), UNAVAILABLE);
        }
        if (failure instanceof IOException) {
            return print(terminal, name, message(failure), FAILED);
        }
        if (failure instanceof EnvironmentException
                || failure instanceof FailedException
                || failure instanceof DeviceException) {
            int code = print(terminal, name, message(failure), FAILED);
            printUserTrace(failure, terminal);
            return code;
        }
        if (failure instanceof UncheckedIOException && failure.getCause() != null) {
            return print(terminal, name, message(failure) + ": " + message(failure.getCause()), FAILED);
        }
        if (failure instanceof OutOfMemoryError) {
            return print(terminal, name, outOfMemory(), FAILED);
        }
        print(terminal, name, "internal error: this is a bug in Fovea; please report it with what follows", BUG);
        failure.printStackTrace(terminal.err());
        return BUG;
    }

    /** The message where the heap is exhausted by an unknown cause. */
    static String outOfMemory() {
        return String.format(
                Locale.ROOT,
                "out of memory: the Java heap can have %.1f GiB; FOVEA_JAVA_OPTS=-Xmx16g, for instance,"
                        + " gives a larger one",
                Runtime.getRuntime().maxMemory() / (double) (1L << 30));
    }

    /** Closes environments. One that fails is reported, and takes nothing from a result or from another failure. */
    static void reportClosing(Runnable close, Terminal terminal) {
        try {
            close.run();
        } catch (EnvironmentException e) {
            print(terminal, "an environment could not be closed: " + message(e));
            printUserTrace(e, terminal);
        }
    }

    /** The frames of the environment that failed, if one did. */
    private static void printUserTrace(Throwable failure, Terminal terminal) {
        EnvironmentException ofEnvironment = failure instanceof EnvironmentException itself
                ? itself
                : failure.getCause() instanceof EnvironmentException cause ? cause : null;
        if (ofEnvironment != null && ofEnvironment.getCause() != null) {
            UserTrace.print(terminal.err(), ofEnvironment.getCause());
        }
    }

    private static String message(Throwable failure) {
        String message = failure.getMessage();
        String kind = failure.getClass().getSimpleName().replaceAll("Exception$", "");
        if (message == null) {
            return kind;
        }
        // The message of NoSuchFileException and its like is the file's name alone.
        return failure instanceof FileSystemException file && file.getReason() == null
                ? message + " (" + kind + ")"
                : message;
    }

    private static int print(Terminal terminal, String name, String message, int code) {
        print(terminal, name + ": " + message);
        return code;
    }

    private static void print(Terminal terminal, String message) {
        terminal.err().println(Terminal.printable(message));
    }
}
