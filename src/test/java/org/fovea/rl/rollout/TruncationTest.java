// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.EnvironmentException;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ends of episodes in rollouts, and numbers that are not finite. */
class TruncationTest {
    private static final int EPISODE_LENGTH = 4;

    @TempDir
    Path directory;

    /** Observes its step number; every episode has four steps of reward 1. */
    private static final class Clock implements Environment {
        private final boolean truncates;
        private final float poison;
        private int time;

        Clock(boolean truncates, float poison) {
            this.truncates = truncates;
            this.poison = poison;
        }

        @Override
        public Space observationSpace() {
            return new Space.Box(1, 0, EPISODE_LENGTH);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            time = 0;
            return new float[] {0};
        }

        @Override
        public Step step(Action action) {
            time++;
            float[] observation = {time == 3 ? time * poison : time};
            if (time < EPISODE_LENGTH) {
                return Step.of(observation, 1);
            }
            return truncates ? Step.truncated(observation, 1) : Step.terminated(observation, 1);
        }
    }

    /** A clock whose episodes are cut after three to eight steps, by seed; or not at all. */
    private static final class Cut implements Environment {
        private final boolean cuts;
        private int length;
        private int time;

        Cut(boolean cuts) {
            this.cuts = cuts;
        }

        @Override
        public Space observationSpace() {
            return new Space.Box(2, 0, 20);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            time = 0;
            length = 3 + (int) Math.floorMod(seed >> 8, 6L);
            return new float[] {0, length};
        }

        @Override
        public Step step(Action action) {
            time++;
            float[] observation = {time + action.choice(), length};
            return cuts && time == length ? Step.truncated(observation, 1) : Step.of(observation, 1);
        }
    }

    @BeforeAll
    static void register() {
        Environments.register("Cut-v0", "for this test", () -> new Cut(true));
        Environments.register("Uncut-v0", "for this test", () -> new Cut(false));
        Environments.register("TruncatedClock-v0", "for this test", () -> new Clock(true, 1));
        Environments.register("TerminatedClock-v0", "for this test", () -> new Clock(false, 1));
        Environments.register("PoisonedClock-v0", "for this test", () -> new Clock(false, Float.NaN));
    }

    @Test
    void aTruncatedEpisodeIsBootstrappedFromItsFinalObservation() {
        float[][] played = play("TruncatedClock-v0", "mlp");
        float[] values = played[0];
        float[] nextValues = played[1];
        // The network is a function of the observation: all values of time t are equal, and that of the final
        // observation (time 4) is none of the others.
        for (int i = 0; i < values.length; i++) {
            int time = i % 13 % EPISODE_LENGTH;
            if (time < EPISODE_LENGTH - 1) {
                assertThat(nextValues[i]).as("step %d", i).isCloseTo(values[time + 1], within(1e-6f));
            } else {
                assertThat(nextValues[i]).as("step %d", i).isCloseTo(nextValues[3], within(1e-6f));
                assertThat(nextValues[i]).isNotZero();
                assertThat(Math.abs(nextValues[i] - values[0])).isGreaterThan(1e-4f);
            }
        }
    }

    /** What is cut has the value that the same step has in an episode that goes on. */
    @ParameterizedTest
    @CsvSource({"mlp", "attention", "gru"})
    void aTruncatedEpisodeIsWorthWhatItsContinuationIs(String policy) {
        float[][] cut = play("Cut-v0", policy);
        float[] valuesOfUncut = play("Uncut-v0", policy)[0];
        for (int first = 0; first < valuesOfUncut.length; first += 13) {
            int end = first;
            while (cut[2][end] == 0) {
                end++;
            }
            assertThat(cut[1][end]).as("%d", end).isEqualTo(valuesOfUncut[end + 1]);
        }
    }

    @Test
    void aTerminatedEpisodeIsWorthNothingAfterwards() {
        float[] nextValues = play("TerminatedClock-v0", "attention")[1];
        for (int i = 0; i < nextValues.length; i++) {
            if (i % 13 % EPISODE_LENGTH == EPISODE_LENGTH - 1) {
                assertThat(nextValues[i]).isZero();
            } else {
                assertThat(nextValues[i]).isNotZero();
            }
        }
    }

    @Test
    void aNonFiniteObservationStopsTrainingByName() {
        assertThatThrownBy(() -> play("PoisonedClock-v0", "mlp"))
                .isInstanceOf(EnvironmentException.class)
                .hasMessageContaining("observation[0] is NaN")
                .hasMessageContaining("step 3");
    }

    private float[][] play(String environment, String policy) {
        RunSpec spec = Runs.small(
                environment,
                PolicyKind.of(policy),
                1,
                Map.of("rollout_steps", "13", "normalize_observations", "false"));
        try (Backend backend = Runs.cpu(1);
                OpenRun run = OpenRun.start(backend, spec)) {
            run.collect();
            Rollout rollout = run.rollout;
            float[] values = new float[rollout.rows()];
            float[] nextValues = new float[rollout.rows()];
            backend.memory().download(rollout.values(), values, 0);
            backend.memory().download(rollout.nextValues(), nextValues, 0);
            float[] done = new float[rollout.rows()];
            backend.memory().download(rollout.done(), done, 0);
            return new float[][] {values, nextValues, done};
        }
    }
}
