// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.fovea.io.Checkpoint;
import org.fovea.rl.run.SavedRun;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Signals need a process of their own. */
@Tag("integration")
@Timeout(180)
class InterruptionTest {
    @TempDir
    private Path directory;

    private Path run() {
        return directory.resolve("run");
    }

    private Program train(String environment, String... more) throws IOException {
        return Program.start(directory, NewcomerProgram.class, NewcomerProgram.training(environment, run(), more));
    }

    private void awaitIterations(Program program) throws IOException, InterruptedException {
        Path table = run().resolve("progress.csv");
        while (program.isAlive()
                && (!Files.exists(table) || Files.readAllLines(table).size() < 4)) {
            Thread.sleep(20);
        }
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void aCheckpointIsLeft(String signal, int exitCode) throws IOException, InterruptedException {
        try (Program program =
                Program.start(directory, Fovea.class, TrainTest.small(run(), "--steps", "100000000", "--json"))) {
            awaitIterations(program);
            program.signal(signal);
            program.awaitEnd();

            assertThat(program.exitCode()).isEqualTo(exitCode);
            int iterations = Files.readAllLines(run().resolve("progress.csv")).size() - 1;
            assertThat(SavedRun.load(run()).iteration()).isEqualTo(iterations);
            JsonNode json = new Cli(exitCode, program.out(), "").lastLineAsJson();
            assertThat(json.get("steps").asLong()).isEqualTo(iterations * 4L * 32);
            assertThat(program.out()).contains("fovea train --resume --out " + run());
        }
    }

    @ParameterizedTest
    @CsvSource({"step, true", "factory, false", "reset, false", "close, true"})
    void whatHangsIsHaltedByASecondSignal(String place, boolean leavesCheckpoint)
            throws IOException, InterruptedException {
        try (Program program = train("Hangs" + place + "-v0", "--steps", place.equals("close") ? "512" : "1000000")) {
            program.awaitError("HANGING");
            program.signal("INT");
            assertThat(program.awaitError("a second signal")).isLessThan(2);
            Thread.sleep(100);
            assertThat(program.isAlive()).isTrue();
            program.signal("INT");
            assertThat(program.awaitEnd()).isLessThan(2);

            assertThat(program.exitCode()).isEqualTo(130);
            assertThat(program.err())
                    .contains("stopped at once")
                    .contains(leavesCheckpoint ? "The last good checkpoint is in " + run() : "There was no checkpoint");
            if (place.equals("close")) {
                assertThat(program.out()).contains("final return");
            }
        }
        if (leavesCheckpoint) {
            assertThat(Checkpoint.load(run()).step()).isPositive();
        }
    }

    @Test
    void anIterationThatTakesLongIsAbandoned() throws IOException, InterruptedException {
        try (Program program = train("Slows-v0", "--steps", "1000000", "--set", "rollout_steps=128", "--json")) {
            program.awaitError("SLOW");
            program.signal("INT");
            assertThat(program.awaitEnd()).isLessThan(6);

            assertThat(program.exitCode()).isEqualTo(130);
            long kept = Checkpoint.load(run()).step();
            assertThat(kept).isPositive();
            assertThat(new Cli(130, program.out(), "")
                            .lastLineAsJson()
                            .get("steps")
                            .asLong())
                    .isEqualTo(kept);
        }
    }

    @Test
    void aKilledRunGoesOn() throws IOException, InterruptedException {
        try (Program program = Program.start(directory, Fovea.class, TrainTest.small(run(), "--steps", "10000000"))) {
            awaitIterations(program);
            program.signal("KILL");
            program.awaitEnd();
        }
        long kept = Checkpoint.load(run()).step();
        Cli resumed = Cli.run(Cli.words(
                "train --resume --out %s --steps %s --backend cpu --final-episodes 1 --json", run(), kept + 256));
        assertThat(resumed.exitCode()).isZero();
        assertThat(resumed.lastLineAsJson().get("steps").asLong()).isEqualTo(kept + 256);
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "KILL, 137"})
    void aSweepThatIsEndedGoesOn(String signal, int exitCode) throws IOException, InterruptedException {
        Path out = directory.resolve("sweep");
        String[] sweep = Cli.words(
                "sweep --env CartPole-v1 --policy mlp --steps 40000000 --envs 4 --set width=8 --backend cpu --grid lr=0,1e-3"
                        + " --seeds 1 --jobs 2 --out %s",
                out);
        try (Program program = Program.start(directory, Fovea.class, sweep)) {
            for (int run = 1; run <= 2; run++) {
                while (program.isAlive()
                        && Checkpoint.latest(out.resolve("runs/v" + run + "-seed1"))
                                .isEmpty()) {
                    Thread.sleep(50);
                }
            }
            program.signal(signal);
            program.awaitEnd();
            assertThat(program.exitCode()).isEqualTo(exitCode);
            assertThat(out.resolve("sweep.json").toFile().exists()).isEqualTo(signal.equals("INT"));
        }
        String[] again = Arrays.copyOf(sweep, sweep.length + 2);
        again[sweep.length] = "--time-limit";
        again[sweep.length + 1] = "1s";
        assertThat(Cli.run(again).err())
                .containsPattern("v1-seed1: .*from step \\d")
                .containsPattern("v2-seed1: .*from step \\d");
    }

    @Test
    void theEvaluationAfterTrainingHearsASignal() throws IOException, InterruptedException {
        try (Program program = train("NeverEnds-v0", "--final-seconds", "1000", "--max-episode-steps", "1000000000")) {
            program.awaitError("evaluating: 0 of 100 episodes");
            program.signal("INT");
            assertThat(program.awaitEnd()).isLessThan(2);

            assertThat(program.exitCode()).isEqualTo(130);
            assertThat(program.out()).contains("interrupted after 0 of 100 episodes");
        }
        assertThat(Checkpoint.load(run()).step()).isEqualTo(512);
    }

    @Test
    void anEvaluationHearsASignalAndFindsTheEnvironmentOfAProgramsOwn() throws IOException, InterruptedException {
        try (Program program = train("NeverEnds-v0", "--final-episodes", "0")) {
            program.awaitEnd();
            assertThat(program.exitCode()).isZero();
        }
        String[] evaluation = {"eval", run().toString(), "--max-episode-steps", "1000000000", "--backend", "cpu"};
        try (Program program = Program.start(directory, NewcomerProgram.class, evaluation)) {
            program.awaitError("evaluating: 0 of 100 episodes");
            program.signal("TERM");
            assertThat(program.awaitEnd()).isLessThan(2);
            assertThat(program.exitCode()).isEqualTo(143);
            assertThat(program.out()).contains("interrupted after 0 of 100 episodes");
        }
        Cli withoutIt = Cli.run(evaluation);
        assertThat(withoutIt.exitCode()).isEqualTo(2);
        assertThat(withoutIt.err())
                .contains("unknown environment 'NeverEnds-v0'")
                .contains("--main CLASS eval " + run())
                .contains("FOVEA_CLASSPATH")
                .contains("EnvironmentProvider");
        assertThat(withoutIt.err().lines()).hasSize(1);
    }

    @Test
    void aProgramThatExitsFromWithinHasNotSucceeded() throws IOException, InterruptedException {
        try (Program program = train("Exits-v0", "--steps", "1000000")) {
            program.awaitEnd();

            assertThat(program.exitCode()).isEqualTo(1);
            assertThat(program.err()).contains("System.exit during training. The last good checkpoint is in " + run());
        }
    }

    @Test
    void threadsThatAnEnvironmentLeavesDoNotKeepTheProgram() throws IOException, InterruptedException {
        try (Program program = train("Threads-v0")) {
            program.awaitEnd();
            assertThat(program.exitCode()).isZero();
        }
    }

    @Test
    void aFinishedCommandIsNotHeldUp() throws IOException, InterruptedException {
        try (Program program = Program.start(directory, Fovea.class, TrainTest.small(run()))) {
            program.awaitEnd();
            assertThat(program.exitCode()).isZero();
        }
    }
}
