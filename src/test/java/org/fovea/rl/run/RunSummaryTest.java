// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.RunSummary.State;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunSummaryTest {
    private static final TrainingOptions OPTIONS =
            new TrainingOptions(EvaluationSettings.of(3, 1), new EvaluationPlan(32, 2, Double.NaN), 60, Map.of());

    @TempDir
    private Path directory;

    private static RunSpec spec() {
        return Defaults.of("CartPole-v1", Algorithm.PPO, PolicyKind.MLP)
                .withSteps(64)
                .withEnvironments(2)
                .with(Map.of("rollout_steps", "16", "width", "8", "epochs", "1", "minibatches", "1"));
    }

    private Path run(String name) {
        return directory.resolve(name);
    }

    private TrainResult train(Path run) {
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec(), run)) {
            return trainer.run(OPTIONS, Progress.Listener.NONE, () -> false);
        }
    }

    @Test
    void aRunIsSeenWhileItIsTrainedAndWhenItIsDone() throws IOException {
        Path run = run("run");
        TrainResult result;
        RunSummary[] seen = new RunSummary[2];
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec(), run)) {
            result = trainer.run(
                    OPTIONS,
                    progress -> {
                        try {
                            seen[0] = RunSummary.read(run);
                        } catch (IOException e) {
                            throw new IllegalStateException(e);
                        }
                    },
                    () -> false);
            seen[1] = RunSummary.read(run);
            // Looking at it has not let go of its lock.
            assertThatThrownBy(() -> RunLock.take(run)).isInstanceOf(RunInUseException.class);
        }
        RunSummary done = RunSummary.read(run);

        assertThat(seen[0].state()).isEqualTo(State.RUNNING);
        assertThat(seen[0].steps()).isEqualTo(64);
        assertThat(seen[0].score().source()).isEqualTo("evaluation");
        assertThat(seen[1].state()).isEqualTo(State.RUNNING);
        assertThat(done.state()).isEqualTo(State.DONE);
        assertThat(done.steps()).isEqualTo(64);
        assertThat(done.totalSteps()).isEqualTo(64);
        assertThat(done.settings())
                .containsEntry("environment", "CartPole-v1")
                .containsEntry("width", "8")
                .containsEntry("seed", "1");
        assertThat(done.score().source()).isEqualTo("final");
        assertThat(done.score().episodes()).isEqualTo(3);
        assertThat(done.score().mean()).isEqualTo(result.evaluation().mean(), within(1e-9));
        assertThat(done.score().std()).isEqualTo(result.evaluation().std(), within(1e-9));
        assertThat(done.problem()).isEmpty();
    }

    @Test
    void aRunThatWasStoppedOrKilledIsInterrupted() throws IOException {
        Path stopped = run("stopped");
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec(), stopped)) {
            boolean[] stop = new boolean[1];
            trainer.run(TrainingOptions.DEFAULT, progress -> stop[0] = true, () -> stop[0]);
        }
        Path killed = run("killed");
        train(killed);
        Files.delete(killed.resolve("result.json"));
        Files.move(killed.resolve("checkpoint-000000000064"), directory.resolve("away"));

        assertThat(RunSummary.read(stopped).state()).isEqualTo(State.INTERRUPTED);
        assertThat(RunSummary.read(stopped).steps()).isEqualTo(32);
        assertThat(RunSummary.read(killed).state()).isEqualTo(State.INTERRUPTED);
    }

    @Test
    void aRunThatFailedSaysWhy() throws IOException {
        Path run = run("run");
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec(), run)) {
            assertThatThrownBy(() -> trainer.run(
                            OPTIONS,
                            progress -> {
                                throw new IllegalStateException("planted");
                            },
                            () -> false))
                    .hasMessage("planted");
        }

        assertThat(RunSummary.read(run).state()).isEqualTo(State.FAILED);
        assertThat(RunSummary.read(run).outcome().failure()).isEqualTo("planted");
    }

    @Test
    void damageIsToldAndForeignDirectoriesAreNoRuns() throws IOException {
        train(run("whole"));
        Path damaged = run("deep/er/damaged");
        train(damaged);
        Files.writeString(damaged.resolve("result.json"), "{\"end\":");
        Files.writeString(damaged.resolve("progress.csv"), "iteration,st");
        Files.writeString(
                damaged.resolve("checkpoint-000000000064").resolve("tensors.safetensors"), "no such thing as a header");
        Files.createDirectories(run("foreign/.hidden"));
        Files.createSymbolicLink(run("link"), run("whole"));

        List<RunSummary> runs = RunSummary.list(directory);

        assertThat(runs).extracting(RunSummary::directory).containsExactly(damaged, run("whole"));
        assertThat(runs.get(0).problem()).contains("result.json", "tensors.safetensors");
        // Its own settings are still in its configuration.
        assertThat(runs.get(0).settings()).containsEntry("environment", "CartPole-v1");
        assertThat(RunSummary.list(run("foreign"))).isEmpty();
        assertThatIOException()
                .isThrownBy(() -> RunSummary.read(run("foreign")))
                .withMessageContaining("is not a run");
        assertThatIOException().isThrownBy(() -> RunSummary.read(run("absent"))).withMessageContaining("no such run");
    }

    /** Files that nobody writes to, or that are as long as a disk, hold up no list of runs. */
    @Test
    @Tag("integration")
    void hostileFilesAreNotWaitedFor() throws Exception {
        Path pipes = Files.createDirectories(run("pipes"));
        Files.writeString(pipes.resolve("progress.csv"), "iteration,steps\n1,10\n");
        Path checkpoint = Files.createDirectories(pipes.resolve("checkpoint-000000000010"));
        for (Path pipe : List.of(
                pipes.resolve(".lock"),
                pipes.resolve("evaluations.csv"),
                pipes.resolve("result.json"),
                pipes.resolve("config.yaml"),
                checkpoint.resolve("tensors.safetensors"))) {
            assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0, "mkfifo is absent");
        }
        Path endless = Files.createDirectories(run("endless"));
        for (String file : List.of("progress.csv", "evaluations.csv", "result.json", "config.yaml")) {
            // A hole: as long as it says, without taking room.
            try (FileChannel channel =
                    FileChannel.open(endless.resolve(file), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                channel.write(ByteBuffer.allocate(1), 1L << 35);
            }
        }

        List<RunSummary> runs = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> RunSummary.list(directory));

        assertThat(runs).extracting(RunSummary::directory).containsExactly(endless, pipes);
        assertThat(runs.get(0).problem()).contains("result.json").contains("34359738369 bytes");
        assertThat(runs.get(0).progress()).isEmpty();
        assertThat(runs.get(1).problem()).contains("tensors.safetensors").contains("not a regular file");
        assertThat(runs.get(1).progress()).containsEntry("steps", "10");
    }

    @Test
    void runsAreFoundFourDirectoriesDeep() throws IOException {
        Path deep = Files.createDirectories(directory.resolve("a/b/c/d"));
        Path deeper = Files.createDirectories(directory.resolve("x/b/c/d/e"));
        for (Path run : List.of(deep, deeper)) {
            Files.writeString(run.resolve("progress.csv"), "iteration,steps\n1,10\n");
        }
        assertThat(RunSummary.list(directory)).extracting(RunSummary::directory).containsExactly(deep);
    }

    /** A heading and a last line that are longer than what is read at a time belong to no run. */
    @Test
    void theHeadingAndTheLastWholeLineAreRead() throws IOException {
        Path run = Files.createDirectories(run("long"));
        StringBuilder table = new StringBuilder("iteration,steps,mean_return\n");
        for (int i = 1; i <= 5000; i++) {
            table.append(i).append(',').append(10 * i).append(",0.5\n");
        }
        Files.writeString(run.resolve("progress.csv"), table + "5001,50010");
        assertThat(RunSummary.read(run).progress())
                .containsEntry("iteration", "5000")
                .containsEntry("steps", "50000");
        Files.writeString(run.resolve("progress.csv"), "iteration,steps,mean_return\n");
        assertThat(RunSummary.read(run).progress()).isEmpty();
    }
}
