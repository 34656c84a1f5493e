// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A program in a process of its own, to which signals can be sent; without the optimising compiler, as in {@link Jvm}. */
final class Program implements AutoCloseable {
    private static final long MOST_SECONDS = 60;

    private final Process process;
    private final Path out;
    private final Path err;

    private Program(Process process, Path out, Path err) {
        this.process = process;
        this.out = out;
        this.err = err;
    }

    /** Starts the main method of a class; what it prints goes to the directory. */
    static Program start(Path directory, Class<?> type, String... arguments) throws IOException {
        return start(directory, Map.of(), type, arguments);
    }

    /** The same with more variables of the environment. */
    static Program start(Path directory, Map<String, String> environment, Class<?> type, String... arguments)
            throws IOException {
        // A shell's background job, such as a CI step, has SIGINT ignored, and would hand that on.
        List<String> command = new ArrayList<>(List.of(
                "env",
                "--default-signal=INT",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Djava.awt.headless=true",
                "-cp",
                System.getProperty("java.class.path"),
                type.getName()));
        command.addAll(List.of(arguments));
        Path out = Files.createTempFile(directory, "out", "");
        Path err = Files.createTempFile(directory, "err", "");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().putAll(environment);
        return new Program(builder.start(), out, err);
    }

    void signal(String name) throws IOException, InterruptedException {
        assertThat(process.isAlive()).as("is to be sent a signal").isTrue();
        new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid())
                .start()
                .waitFor();
    }

    /** Waits until standard error has a text, and returns after how many seconds. */
    double awaitError(String text) throws IOException, InterruptedException {
        long start = System.nanoTime();
        while (!err().contains(text)) {
            double seconds = (System.nanoTime() - start) * 1e-9;
            assertThat(seconds).as("'" + text + "' in " + err()).isLessThan(MOST_SECONDS);
            assertThat(process.isAlive() || err().contains(text)).as(err()).isTrue();
            Thread.sleep(20);
        }
        return (System.nanoTime() - start) * 1e-9;
    }

    /** Waits for the end, and returns after how many seconds it came. */
    double awaitEnd() throws InterruptedException, IOException {
        long start = System.nanoTime();
        assertThat(process.waitFor(MOST_SECONDS, TimeUnit.SECONDS))
                .as("ends: " + err())
                .isTrue();
        return (System.nanoTime() - start) * 1e-9;
    }

    /** Processes that it has started. */
    List<ProcessHandle> children() {
        return process.children().toList();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    int exitCode() {
        return process.exitValue();
    }

    String out() throws IOException {
        return Files.readString(out);
    }

    String err() throws IOException {
        return Files.readString(err);
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
