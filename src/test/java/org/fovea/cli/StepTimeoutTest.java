// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.fovea.env.Action;
import org.fovea.env.CallbackEnvironment;
import org.fovea.env.Decider;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Environments that take too long for a step, by {@code --step-timeout}. */
@Tag("integration")
@Timeout(120)
class StepTimeoutTest {
    @TempDir
    private Path directory;

    /** Sleeps in its 400th step, in the fourth rollout of those it is played in. */
    private static final class Sleeping extends Countdown {
        private int steps;

        @Override
        public Step step(Action action) {
            if (number == 2 && ++steps == 400) {
                sleepForEver();
            }
            return super.step(action);
        }

        private static void sleepForEver() {
            try {
                Thread.sleep(1_000_000);
            } catch (InterruptedException e) {
                throw new IllegalStateException("woken", e);
            }
        }
    }

    private static final class Spinning extends CallbackEnvironment {
        private int steps;

        @Override
        public Space observationSpace() {
            return new Space.Box(1, 0, 1);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        protected void run(Decider decider, long seed) {
            while (true) {
                decider.decide(new float[] {seed % 2});
                if (++steps == 400) {
                    spinForEver();
                }
            }
        }

        private static void spinForEver() {
            while (!Thread.currentThread().isInterrupted()) {
                Thread.onSpinWait();
            }
        }
    }

    @BeforeAll
    static void register() {
        Environments.register("SleepsInAStep-v0", "for this test", Sleeping::new);
        Environments.register("InTime-v0", "for this test", Countdown::new);
        Environments.register("SpinsInRun-v0", "for this test", Spinning::new);
    }

    @BeforeEach
    void forget() {
        Countdown.forget();
    }

    private Cli train(String environment, String... more) {
        return Cli.run(TrainTest.small(directory.resolve("run"), with(environment, more)));
    }

    private static String[] with(String environment, String... more) {
        String[] all = new String[more.length + 2];
        all[0] = "--env";
        all[1] = environment;
        System.arraycopy(more, 0, all, 2, more.length);
        return all;
    }

    @Test
    void aStepThatNeverEndsIsNamedAndTheRunEnds() {
        Cli cli = train("SleepsInAStep-v0", "--steps", "100000", "--step-timeout", "0.5");

        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err())
                .contains(
                        "SleepsInAStep-v0: environment 2, episode 39, step 9: step has not returned within 0.5 seconds")
                .contains("--step-timeout")
                .contains("The last good checkpoint is in ")
                .contains("Sleeping.sleepForEver(")
                .doesNotContain("org.fovea.rl")
                .doesNotContain("EnvironmentBatch");
        assertThat(Countdown.CLOSED.get()).isEqualTo(4);
    }

    @Test
    void aSimulatorThatNeverEndsIsNamedByItsOwnThread() {
        Cli cli = train("SpinsInRun-v0", "--steps", "100000", "--step-timeout", "0.5");

        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err())
                .contains(", episode 0, step 399: step has not returned within 0.5 seconds")
                .contains("The last good checkpoint is in ")
                .contains("Spinning.spinForEver(")
                .contains("Spinning.run(")
                .doesNotContain("org.fovea.env.")
                .doesNotContain("org.fovea.rl");
        assertThat(Thread.getAllStackTraces().keySet())
                .noneMatch(thread -> thread.getName().startsWith("fovea-simulator-") && thread.isAlive());
    }

    /** One that doesn't heed interrupts can only be ended together with the process. */
    @Test
    void oneThatCatchesInterruptsEndsTheProcess() throws IOException, InterruptedException {
        try (Program program = Program.start(
                directory,
                NewcomerProgram.class,
                NewcomerProgram.training(
                        "Hangsstep-v0", directory.resolve("run"), "--steps", "200000", "--step-timeout", "1"))) {
            program.awaitError("HANGING");
            assertThat(program.awaitEnd()).isLessThan(20);
            assertThat(program.exitCode()).isEqualTo(1);
            assertThat(program.err())
                    .contains("fovea train: Hangsstep-v0: environment 2, episode ")
                    .contains("step has not returned within 1 seconds")
                    .contains("The last good checkpoint is in ")
                    .contains("NewcomerProgram$Hanging.hang(");
        }
    }

    /** It is the environment's time that counts, and a limit that isn't reached changes nothing. */
    @Test
    void aLimitThatIsNotReachedChangesNothing() throws IOException {
        Cli limited = train("InTime-v0", "--seed", "3", "--step-timeout", "30", "--json");
        Cli free = Cli.run(TrainTest.small(directory.resolve("other"), with("InTime-v0", "--seed", "3", "--json")));

        assertThat(limited.exitCode()).isZero();
        assertThat(limited.lastLineAsJson().get("return_mean"))
                .isEqualTo(free.lastLineAsJson().get("return_mean"));
    }

    @Test
    void aLimitOfNothingIsRefused() {
        Cli cli = train("CartPole-v1", "--step-timeout", "0");

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains("--step-timeout must be greater than 0 seconds, got 0.0");
    }
}
