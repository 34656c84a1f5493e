package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.fovea.rl.RunState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Signals need a process of their own. */
@Timeout(120)
class InterruptionTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void aCheckpointIsLeft(String signal, int exitCode) throws IOException, InterruptedException {
        Path run = directory.resolve("run");
        Path table = run.resolve("progress.csv");
        Path out = directory.resolve("out");
        Process process = start(out, TrainTest.small(run, "--steps", "100000000", "--json"));
        try {
            while (process.isAlive()
                    && (!Files.exists(table) || Files.readAllLines(table).size() < 4)) {
                Thread.sleep(20);
            }
            new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                    .start()
                    .waitFor();
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }

        assertThat(process.exitValue()).isEqualTo(exitCode);
        int iterations = Files.readAllLines(table).size() - 1;
        assertThat(RunState.load(run).iteration()).isEqualTo(iterations);
        JsonNode json = new Cli(exitCode, Files.readString(out), "").lastLineAsJson();
        assertThat(json.get("steps").asLong()).isEqualTo(iterations * 4L * 32);
        assertThat(Files.readString(out)).contains("fovea train --resume --out " + run);
    }

    @Test
    void aFinishedCommandIsNotHeldUp() throws IOException, InterruptedException {
        Process process = start(directory.resolve("out"), TrainTest.small(directory.resolve("run")));

        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isZero();
    }

    private static Process start(Path out, String... args) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        // A shell's background job, such as a CI step, has SIGINT ignored, and would hand that on.
        List<String> command = new ArrayList<>(List.of(
                "env",
                "--default-signal=INT",
                java,
                "--add-modules",
                "jdk.incubator.vector",
                "-Djava.awt.headless=true",
                "-cp",
                System.getProperty("java.class.path"),
                Fovea.class.getName()));
        command.addAll(List.of(args));
        return new ProcessBuilder(command)
                .redirectOutput(out.toFile())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }
}
