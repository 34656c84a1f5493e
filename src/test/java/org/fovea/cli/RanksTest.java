// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs that are trained by several processes: their outcome, and what happens where one of them dies, hangs or differs. */
@Tag("integration")
@Timeout(180)
final class RanksTest {
    /** Of ranks that are to be ended, all have after so many seconds. */
    private static final double MOST_SECONDS = 10;

    @TempDir
    Path directory;

    private static String[] train(Path run, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                "train",
                "--env",
                "CartPole-v1",
                "--policy",
                "mlp",
                "--backend",
                "cpu",
                "--envs",
                "16",
                "--set",
                "rollout_steps=32",
                "--out",
                run.toString(),
                "--final-episodes",
                "5"));
        arguments.addAll(List.of(more));
        return arguments.toArray(String[]::new);
    }

    private Program start(String... arguments) throws IOException {
        return Program.start(directory, Fovea.class, arguments);
    }

    private void complete(String... arguments) throws IOException, InterruptedException {
        try (Program program = start(arguments)) {
            program.awaitEnd();
            assertThat(program.exitCode()).as(program.err()).isZero();
        }
    }

    /** Columns but for the steps per second. */
    private static List<String> progress(Path run) throws IOException {
        return Files.readAllLines(run.resolve("progress.csv")).stream()
                .map(line -> line.replaceFirst("^([^,]*,[^,]*),[^,]*", "$1"))
                .toList();
    }

    private static Path checkpoint(Path run) throws IOException {
        try (var files = Files.list(run)) {
            return files.filter(path -> path.getFileName().toString().startsWith("checkpoint-"))
                    .max(Comparator.comparing(Path::toString))
                    .orElseThrow();
        }
    }

    /** A run that goes on for minutes, once it has a checkpoint. */
    private Program endless(Path run, int ranks) throws IOException, InterruptedException {
        Program program = start(train(run, "--steps", "100000000", "--ranks", Integer.toString(ranks)));
        long start = System.nanoTime();
        while (!Files.exists(run) || checkpoints(run) == 0) {
            assertThat(program.isAlive()).as(program.err()).isTrue();
            assertThat((System.nanoTime() - start) * 1e-9).isLessThan(60);
            Thread.sleep(50);
        }
        return program;
    }

    private static long checkpoints(Path run) throws IOException {
        try (var files = Files.list(run)) {
            return files.filter(path -> path.getFileName().toString().startsWith("checkpoint-"))
                    .count();
        }
    }

    /** The ranks' processes, which were started in order. */
    private static List<ProcessHandle> ranks(Program program) {
        return program.children().stream()
                .sorted(Comparator.comparing(ProcessHandle::pid))
                .toList();
    }

    private static void signal(ProcessHandle process, String name) throws IOException, InterruptedException {
        new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid())
                .start()
                .waitFor();
    }

    private static void assertAllEnded(List<ProcessHandle> ranks) {
        assertThat(ranks).noneMatch(ProcessHandle::isAlive);
    }

    @Test
    void twoProcessesTrainWhatOneDoes() throws Exception {
        Path one = directory.resolve("one");
        Path two = directory.resolve("two");
        complete(train(one, "--ranks", "1", "--steps", "4096"));
        complete(train(two, "--ranks", "2", "--steps", "4096"));
        assertThat(progress(two)).hasSize(9).isEqualTo(progress(one));
        for (String file : List.of("tensors.safetensors", "environments-0.bin", "environments-3.bin")) {
            if (Files.exists(checkpoint(one).resolve(file))) {
                assertThat(checkpoint(two).resolve(file))
                        .hasSameBinaryContentAs(checkpoint(one).resolve(file));
            }
        }
        assertThat(checkpoint(two).resolve("environments-3.bin")).exists();
    }

    @Test
    void aRankThatIsKilledEndsAllAndTheRunGoesOn() throws Exception {
        Path run = directory.resolve("run");
        try (Program program = endless(run, 2)) {
            List<ProcessHandle> ranks = ranks(program);
            assertThat(ranks).hasSize(2);
            signal(ranks.get(1), "KILL");
            assertThat(program.awaitEnd()).isLessThan(MOST_SECONDS);
            assertThat(program.exitCode()).isEqualTo(1);
            assertThat(program.err())
                    .contains("rank 1 has ended: its connection was closed. The last good checkpoint is in " + run)
                    .contains("rank 1 was ended by signal 9");
            assertAllEnded(ranks);
        }
        long steps = Long.parseLong(checkpoint(run).getFileName().toString().replace("checkpoint-", ""));
        complete(
                "train",
                "--resume",
                "--out",
                run.toString(),
                "--backend",
                "cpu",
                "--steps",
                "" + (steps + 1024),
                "--final-episodes",
                "0",
                "--ranks",
                "4");
    }

    @Test
    void aRankThatIsStoppedEndsAll() throws Exception {
        Path run = directory.resolve("run");
        try (Program program = endless(run, 2)) {
            List<ProcessHandle> ranks = ranks(program);
            signal(ranks.get(1), "STOP");
            double seconds = program.awaitError("rank 1 has given no sign of life for 5 s");
            assertThat(seconds + program.awaitEnd()).isLessThan(MOST_SECONDS);
            assertThat(program.exitCode()).isEqualTo(1);
            assertThat(program.err())
                    .contains("The last good checkpoint is in " + run)
                    .contains("rank 1 did not end by itself, and was killed");
            assertAllEnded(ranks);
        }
    }

    @Test
    void theFirstRankMayBeTheOneThatDies() throws Exception {
        Path run = directory.resolve("run");
        try (Program program = endless(run, 2)) {
            List<ProcessHandle> ranks = ranks(program);
            signal(ranks.get(0), "KILL");
            assertThat(program.awaitEnd()).isLessThan(MOST_SECONDS);
            assertThat(program.exitCode()).isEqualTo(1);
            assertThat(program.err()).contains("rank 0 was ended by signal 9");
            assertAllEnded(ranks);
        }
    }

    @Test
    void anInterruptEndsAllInAnOrderlyWay() throws Exception {
        Path run = directory.resolve("run");
        try (Program program = endless(run, 2)) {
            List<ProcessHandle> ranks = ranks(program);
            // As a terminal does, to all of them.
            for (ProcessHandle rank : ranks) {
                signal(rank, "INT");
            }
            program.signal("INT");
            program.awaitEnd();
            assertThat(program.exitCode()).isEqualTo(130);
            assertThat(program.out()).contains("to go on:");
            assertAllEnded(ranks);
        }
    }

    @Test
    void ranksEndWithTheirLauncher() throws Exception {
        Path run = directory.resolve("run");
        try (Program program = endless(run, 2)) {
            List<ProcessHandle> ranks = ranks(program);
            program.signal("KILL");
            long start = System.nanoTime();
            while (ranks.stream().anyMatch(ProcessHandle::isAlive)) {
                assertThat((System.nanoTime() - start) * 1e-9).isLessThan(MOST_SECONDS);
                Thread.sleep(50);
            }
        }
    }

    @Test
    void ranksThatDifferEndByName() throws Exception {
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        Path run = directory.resolve("run");
        List<Program> programs = new ArrayList<>();
        try {
            for (int rank = 0; rank < 2; rank++) {
                programs.add(Program.start(
                        directory,
                        Map.of("RANK", "" + rank, "WORLD_SIZE", "2", "MASTER_PORT", "" + port),
                        Fovea.class,
                        train(run, "--steps", "4096", "--seed", "" + (rank + 5))));
            }
            for (Program program : programs) {
                program.awaitEnd();
                assertThat(program.exitCode()).isEqualTo(1);
                assertThat(program.err()).contains("rank 1 differs from rank 0: its seed is 6, not 5");
            }
        } finally {
            programs.forEach(Program::close);
        }
    }

    @Test
    void mistakesAreNamed() throws Exception {
        assertThat(Cli.run(train(directory.resolve("a"), "--ranks", "3")).err())
                .contains("--ranks must be a power of two, got 3");
        assertThat(Cli.run(train(directory.resolve("a"), "--groups", "32")).err())
                .contains("envs must be a multiple of the 32 groups that they are in, got 16");
        assertThat(Cli.run(train(directory.resolve("a"), "--groups", "6")).exitCode())
                .isEqualTo(2);
    }
}
