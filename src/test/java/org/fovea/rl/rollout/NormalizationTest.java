// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.TrainResult;
import org.fovea.rl.run.TrainedPolicy;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.tasks.Tasks;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Observations and rewards as policies and learners see them. */
class NormalizationTest {
    @TempDir
    Path directory;

    @BeforeAll
    static void register() {
        Tasks.register();
        Environments.register("Noise-v0", "for this test", () -> new Noise(1, 0, 10, 0));
        Environments.register("ScaledNoise-v0", "for this test", () -> new Noise(1 << 20, 0, 10, 0));
        Environments.register("TinyNoise-v0", "for this test", () -> new Noise(1.0 / (1 << 30), 0, 10, 0));
        Environments.register("MovedNoise-v0", "for this test", () -> new Noise(1, 1 << 20, 10, 0));
        // No reward in the first rollout, of 13 steps.
        Environments.register("LateNoise-v0", "for this test", () -> new Noise(1, 0, 40, 15));
    }

    /** Random observations, one of which is constant, and rewards that come now and then, whatever is done. */
    private static final class Noise implements Environment {
        private final double rewardScale;
        private final float offset;
        private final int steps;
        private final int firstRewarded;
        private Random random = new Random(0);
        private int time;

        Noise(double rewardScale, float offset, int steps, int firstRewarded) {
            this.rewardScale = rewardScale;
            this.offset = offset;
            this.steps = steps;
            this.firstRewarded = firstRewarded;
        }

        @Override
        public Space observationSpace() {
            return new Space.Box(3, -Float.MAX_VALUE, Float.MAX_VALUE);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            random = new Random(seed);
            time = 0;
            return observe();
        }

        @Override
        public Step step(Action action) {
            double reward = time >= firstRewarded && random.nextInt(4) == 0 ? rewardScale : 0;
            return ++time == steps ? Step.terminated(observe(), reward) : Step.of(observe(), reward);
        }

        /** Multiples of 1/8: the offset loses none of their digits. */
        private float[] observe() {
            return new float[] {offset + random.nextInt(80) / 8f, offset + random.nextInt(2), offset + 3};
        }
    }

    private static RunSpec spec(String environment, long iterations) {
        return Runs.small(environment, PolicyKind.MLP, iterations, Map.of());
    }

    private float[] train(String environment) {
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec(environment, 3), directory.resolve(environment))) {
            trainer.run(Progress.Listener.NONE, () -> false);
            return Runs.parameters(trainer);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Noise-v0", "MovedNoise-v0"})
    void theFirstRolloutIsNotPlayedBlind(String environment) {
        try (Backend backend = Runs.cpu(2);
                OpenRun run = OpenRun.start(backend, spec(environment, 1))) {
            run.collect();
            Rollout rollout = run.rollout;
            float[] seen = new float[rollout.rows() * 3];
            backend.memory().download(rollout.observations(), seen, 0);
            for (int column = 0; column < 2; column++) {
                double sum = 0;
                double squares = 0;
                for (int row = 0; row < rollout.rows(); row++) {
                    sum += seen[3 * row + column];
                    squares += seen[3 * row + column] * seen[3 * row + column];
                }
                assertThat(sum / rollout.rows()).as("mean of %d", column).isCloseTo(0, within(0.2));
                assertThat(squares / rollout.rows())
                        .as("mean square of %d", column)
                        .isCloseTo(1, within(0.2));
            }
            for (int row = 0; row < rollout.rows(); row++) {
                assertThat(seen[3 * row + 2]).as("what never changes").isZero();
            }
        }
    }

    /** Scales are powers of two, which change no other bit of a float. */
    @ParameterizedTest
    @ValueSource(strings = {"ScaledNoise-v0", "TinyNoise-v0"})
    void theUnitOfRewardsMakesNoDifference(String scaled) {
        assertThat(train(scaled)).isEqualTo(train("Noise-v0"));
    }

    @Test
    void whereObservationsLieMakesNoDifference() {
        float[] moved = train("MovedNoise-v0");
        float[] there = train("Noise-v0");
        for (int i = 0; i < there.length; i++) {
            assertThat(moved[i]).isCloseTo(there[i], within(1e-3f));
        }
    }

    @Test
    void lateRewardsDoNotShockTheValueFunction() {
        List<Double> losses = new ArrayList<>();
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec("LateNoise-v0", 30), directory)) {
            for (int iteration = 0; iteration < 30; iteration++) {
                double loss = trainer.iterate().loss().valueLoss();
                if (hadRewards(backend, OpenRun.of(trainer).rollout)) {
                    losses.add(loss);
                }
            }
        }
        assertThat(losses).as("the first iteration has no rewards").hasSizeBetween(10, 29);
        double median = losses.stream().sorted().toList().get(losses.size() / 2);
        assertThat(losses).allSatisfy(loss -> assertThat(loss).isLessThan(10 * median));
    }

    private static boolean hadRewards(Backend backend, Rollout rollout) {
        float[] rewards = new float[rollout.rows()];
        backend.memory().download(rollout.rewards(), rewards, 0);
        for (float reward : rewards) {
            if (reward != 0) {
                return true;
            }
        }
        return false;
    }

    @Test
    void aSavedPolicyKnowsItsObservations() throws IOException {
        RunSpec spec = spec("ShownOffset1000", 4);
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, directory.resolve("run"))) {
            TrainResult result = trainer.run(Progress.Listener.NONE, () -> false);
            EvaluationSettings greedy = EvaluationSettings.of(100, EvaluationSettings.DEFAULT_SEED);
            assertThat(evaluate(backend, greedy)).isEqualTo(result.evaluation());
            assertThat(evaluate(backend, greedy.withSampledActions()))
                    .isEqualTo(result.sampled())
                    .isNotEqualTo(result.evaluation());
        }
    }

    private EvaluationResult evaluate(Backend backend, EvaluationSettings settings) throws IOException {
        try (TrainedPolicy policy = TrainedPolicy.open(backend, directory.resolve("run"), settings)) {
            return policy.evaluate(Progress.Listener.NONE, () -> false);
        }
    }
}
