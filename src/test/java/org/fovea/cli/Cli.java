// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The output of a command, and its exit code. */
record Cli(int exitCode, String out, String err) {

    static Cli run(String... args) {
        return run(0, args);
    }

    /** With standard error a terminal of so many columns. */
    static Cli run(int columns, String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        int exitCode = Fovea.run(
                new Terminal(new PrintStream(out, true, StandardCharsets.UTF_8), errors, columns),
                Interruption.none(errors),
                args);
        return new Cli(exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    /** Arguments by the words of a line, none of which has a space in it. */
    static String[] words(String line, Object... values) {
        return line.formatted(values).split(" ");
    }

    JsonNode lastLineAsJson() throws JsonProcessingException {
        List<String> lines = out.lines().toList();
        return new ObjectMapper().readTree(lines.get(lines.size() - 1));
    }
}
