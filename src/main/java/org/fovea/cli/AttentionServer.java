// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;

/**
 * Answers requests for attention that come line by line, in one virtual machine and on backends that stay open. Each is run
 * as the command would run it, so that the two can't differ.
 */
final class AttentionServer {
    private static final String NAME = "fovea attention";

    /** What is decided once, for all requests, or what each names otherwise. */
    private static final List<String> NOT_OF_A_REQUEST =
            List.of("--backend", "--device", "--threads", "--simulate", "--set", "--serve", "--help", "--out", "-o");

    private final Terminal terminal;
    private final OpenBackends backends;
    private final List<String> defaults;

    /** @param arguments of the command itself: options that all requests have before their own */
    AttentionServer(Terminal terminal, OpenBackends backends, List<String> arguments) {
        this.terminal = terminal;
        this.backends = backends;
        defaults = arguments.stream()
                .filter(argument -> !argument.equals("--serve"))
                .toList();
    }

    /**
     * Answers until the input ends, or until nobody reads the answers.
     *
     * @return the exit code
     */
    int run(InputStream requests) throws IOException {
        // An unavailable backend fails now and not at each request.
        backends.usual();
        BufferedReader lines = new BufferedReader(new InputStreamReader(requests, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            terminal.out().print(answer(line) + "\n");
            if (terminal.out().checkError()) {
                terminal.err().println(NAME + ": nobody reads the answers from standard output any more");
                return Failures.FAILED;
            }
        }
        return 0;
    }

    private String answer(String line) {
        List<String> fields = Arrays.asList(line.split("\t", -1));
        if (fields.size() < 2) {
            return refused("a request is an input, a tab and an output, with any options after further tabs");
        }
        List<String> options = fields.subList(2, fields.size());
        for (String option : options) {
            String name = option.contains("=") ? option.substring(0, option.indexOf('=')) : option;
            if (NOT_OF_A_REQUEST.contains(name)) {
                return refused(name + " can't be an option of a single request");
            }
        }
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PrintStream err = new PrintStream(said, true, StandardCharsets.UTF_8);
        Terminal listener = new Terminal(new PrintStream(OutputStream.nullOutputStream()), err, 0);
        AttentionCommand.Served request = new AttentionCommand.Served(backends, fields.get(0), fields.get(1));
        CommandLine command = Fovea.commandLine(
                        new AttentionCommand(listener, request), listener, Interruption.none(listener.err()))
                .setCommandName(NAME)
                .setOverwrittenOptionsAllowed(true);
        List<String> arguments = new ArrayList<>(defaults);
        arguments.addAll(options);
        int code = command.execute(arguments.toArray(String[]::new));
        String text = said.toString(StandardCharsets.UTF_8);
        if (code == 0) {
            // Notes, not errors.
            terminal.err().print(text);
            terminal.err().flush();
            return "0\tok";
        }
        String error = text.lines().findFirst().orElse("");
        text.lines().skip(1).forEach(terminal.err()::println);
        return code + "\t" + error.replaceFirst("^" + NAME + ": ", "");
    }

    private static String refused(String reason) {
        return Failures.USAGE + "\t" + reason;
    }
}
