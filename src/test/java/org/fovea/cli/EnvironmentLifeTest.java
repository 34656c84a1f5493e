// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.fovea.env.Action;
import org.fovea.env.Environments;
import org.fovea.env.Step;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Number of environments that a command makes, their closing, and the time that it plays with them. */
@Timeout(120)
class EnvironmentLifeTest {
    @TempDir
    private Path directory;

    private static final class Endless extends Countdown {
        @Override
        public Step step(Action action) {
            time = 1 - time;
            return Step.of(observation(), 1);
        }
    }

    /** 16 of these take 32 ms for a step. */
    private static final class Slow extends Countdown {
        @Override
        public Step step(Action action) {
            try {
                Thread.sleep(2);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return super.step(action);
        }
    }

    @BeforeAll
    static void register() {
        Environments.register("Countdown-v0", "for this test", Countdown::new);
        Environments.register("Endless-v0", "for this test", Endless::new);
        Environments.register("SlowCountdown-v0", "for this test", Slow::new);
    }

    @BeforeEach
    void forget() {
        Countdown.forget();
    }

    private String[] small(String environment, String... more) {
        String[] all = new String[more.length + 2];
        all[0] = "--env";
        all[1] = environment;
        System.arraycopy(more, 0, all, 2, more.length);
        return TrainTest.small(directory.resolve("run"), all);
    }

    private static void assertMadeAndClosed(int count) {
        assertThat(Countdown.MADE.get()).as("made").isEqualTo(count);
        assertThat(Countdown.CLOSED.get()).as("closed").isEqualTo(count);
    }

    @Test
    void aRunMakesAsManyAsItPlaysAndClosesEachOnce() {
        assertThat(Cli.run(small("Countdown-v0", "--envs", "64", "--steps", "4096"))
                        .exitCode())
                .isZero();
        assertMadeAndClosed(64);

        Countdown.forget();
        String run = directory.resolve("run").toString();
        Cli resumed = Cli.run("train", "--resume", "--out", run, "--steps", "8192", "--backend", "cpu");
        assertThat(resumed.exitCode()).isZero();
        assertThat(resumed.err()).contains("not exact: Countdown-v0 cannot save its state");
        assertMadeAndClosed(64);

        Countdown.forget();
        assertThat(Cli.run("eval", run, "--episodes", "5", "--backend", "cpu").exitCode())
                .isZero();
        assertMadeAndClosed(5);

        Countdown.forget();
        assertThat(Cli.run("envs").exitCode()).isZero();
        assertThat(Countdown.CLOSED.get()).isEqualTo(Countdown.MADE.get());
    }

    @Test
    void aCommandThatIsRefusedClosesWhatItMade() {
        assertThat(Cli.run(small("Countdown-v0", "--set", "gamma=7")).exitCode())
                .isEqualTo(2);
        assertThat(Countdown.CLOSED.get()).isEqualTo(Countdown.MADE.get());
        assertThat(Cli.run(small("Countdown-v0", "--set", "minibatches=1000")).exitCode())
                .isEqualTo(2);
        assertThat(Countdown.CLOSED.get()).isEqualTo(Countdown.MADE.get());
    }

    @Test
    void anEpisodeThatNeverEndsIsCutAndCounted() throws IOException {
        Cli trained = Cli.run(small("Endless-v0", "--max-episode-steps", "70", "--json"));
        Cli evaluated = Cli.run(Cli.words(
                "eval %s --max-episode-steps 50 --episodes 10 --backend cpu --json", directory.resolve("run")));

        assertThat(trained.exitCode()).isZero();
        assertThat(trained.out()).contains("100 of 100 episodes did not end within 70 steps");
        assertThat(trained.lastLineAsJson().get("return_episodes_cut").asInt()).isEqualTo(100);
        assertThat(trained.lastLineAsJson().get("return_mean").asDouble()).isEqualTo(70);
        assertThat(evaluated.exitCode()).isZero();
        assertThat(evaluated.out()).contains("10 of 10 episodes did not end within 50 steps");
        assertThat(evaluated.lastLineAsJson().get("episodes_cut").asInt()).isEqualTo(10);
        assertThat(evaluated.lastLineAsJson().get("return_mean").asDouble()).isEqualTo(50);
    }

    @Test
    void theEvaluationAfterTrainingCanBeLeftOut() throws IOException {
        Cli cli = Cli.run(
                small("SlowCountdown-v0", "--env-threads", "1", "--steps", "128", "--final-episodes", "0", "--json"));

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out()).contains("not evaluated");
        assertThat(cli.lastLineAsJson().get("return_episodes").asInt()).isZero();
        assertThat(cli.lastLineAsJson().get("return_mean").isNull()).isTrue();
        // A step of one environment takes 2 ms and a little: four on one thread make 500 steps per second at most.
        assertThat(cli.lastLineAsJson().get("sps").get("env").asDouble()).isBetween(50.0, 500.0);
    }

    @Test
    void theEvaluationAfterTrainingHasALimitOfTime() throws IOException {
        long start = System.nanoTime();
        Cli cli = Cli.run(small(
                "SlowCountdown-v0",
                "--steps",
                "128",
                "--final-episodes",
                "100000",
                "--final-seconds",
                "0.5",
                "--json"));

        assertThat(cli.exitCode()).isZero();
        assertThat((System.nanoTime() - start) * 1e-9).isLessThan(20);
        int episodes = cli.lastLineAsJson().get("return_episodes").asInt();
        assertThat(episodes).isBetween(0, 100);
        assertThat(cli.out()).contains(episodes + " of 100,000 episodes ended within");
    }

    @Test
    void defaultsAreCutToWhatThereIsAndWhatIsAskedForIsRefused() {
        Cli fitted = Cli.run(small("Countdown-v0", "--policy", "attention", "--envs", "1"));
        Cli refused = Cli.run(
                small("Countdown-v0", "--policy", "attention", "--envs", "1", "--set", "minibatches=3", "--overwrite"));

        assertThat(fitted.err()).contains("minibatches is 1, not 4");
        assertThat(fitted.exitCode()).isZero();
        assertThat(refused.exitCode()).isEqualTo(2);
        assertThat(refused.err()).contains("minibatches must be at most 1 (the number of environments");
    }

    @Test
    void aRunThatNoMemoryHoldsIsRefusedBeforeItStarts() {
        for (String policy : new String[] {"mlp", "attention"}) {
            for (String steps : new String[] {"100000", "1000000000"}) {
                Countdown.forget();
                Cli cli = Cli.run(small(
                        "Countdown-v0", "--policy", policy, "--envs", "100000", "--set", "rollout_steps=" + steps));

                assertThat(cli.exitCode()).isEqualTo(2);
                assertThat(cli.err().lines().filter(line -> line.startsWith("fovea")))
                        .hasSize(1);
                assertThat(cli.err())
                        .contains("100,000 environments (--envs)")
                        .contains("(rollout_steps)")
                        .containsPattern("need at least [0-9.]+ GiB of memory")
                        .containsPattern("the Java heap can have [0-9.]+:")
                        .contains("-Xmx");
                assertThat(Countdown.CLOSED.get()).isEqualTo(Countdown.MADE.get());
                assertThat(Countdown.MADE.get()).isLessThan(2);
            }
        }
    }
}
