// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Commands in a virtual machine of their own: with another environment, or with a driver not yet loaded. It lives for a second,
 * so it is spared the optimising compiler, and with that the vectors.
 */
final class Jvm {
    private final Process process;
    private final int commands;

    private Jvm(Process process, int commands) {
        this.process = process;
        this.commands = commands;
    }

    /** Starts one that runs the commands, each a line of arguments, one after the other. */
    static Jvm start(Map<String, String> environment, Map<String, String> properties, String... commands)
            throws IOException {
        return start(System.getProperty("java.class.path"), environment, properties, commands);
    }

    /** The same with one more jar. */
    static Jvm startWith(Path jar, Map<String, String> environment, Map<String, String> properties, String... commands)
            throws IOException {
        return start(System.getProperty("java.class.path") + ":" + jar, environment, properties, commands);
    }

    private static Jvm start(
            String classPath, Map<String, String> environment, Map<String, String> properties, String... commands)
            throws IOException {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx512m",
                "-Djava.awt.headless=true",
                "-cp",
                classPath));
        properties.forEach((name, value) -> line.add("-D" + name + "=" + value));
        line.add(Commands.class.getName());
        line.addAll(List.of(commands));
        ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
        builder.environment().putAll(environment);
        return new Jvm(builder.start(), commands.length);
    }

    /** What each command printed. What a native library prints besides is a failure. */
    List<Cli> finish() throws IOException, InterruptedException {
        List<Cli> results = new ArrayList<>();
        try (var lines = process.inputReader()) {
            ObjectMapper mapper = new ObjectMapper();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.isBlank() || line.startsWith("WARNING: ") || line.startsWith("Picked up ")) {
                    continue; // the virtual machine's own, in paragraphs
                }
                JsonNode json = mapper.readTree(line);
                results.add(new Cli(
                        json.get("exitCode").asInt(),
                        json.get("out").asText(),
                        json.get("err").asText()));
            }
        }
        if (!process.waitFor(1, TimeUnit.MINUTES) || process.exitValue() != 0 || results.size() != commands) {
            process.destroyForcibly();
            throw new IllegalStateException("the virtual machine ended early, after " + results);
        }
        return results;
    }

    /** Runs commands and prints each result as a line. */
    static final class Commands {
        /** Would say that there are no vectors. */
        private static final Logger KERNEL_CHOICE = Logger.getLogger("org.fovea.backend.cpu.KernelChoice");

        private Commands() {}

        public static void main(String[] commands) throws IOException {
            KERNEL_CHOICE.setLevel(Level.OFF);
            for (String command : commands) {
                System.out.println(new ObjectMapper().writeValueAsString(Cli.run(command.split(" "))));
            }
        }
    }
}
