// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.trpo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.Trainer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Tape;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bounds on a step of TRPO, and learning by such steps. */
@Tag("integration")
class TrpoTest {
    private static final int ITERATIONS = 4;

    @TempDir
    Path directory;

    private static RunSpec small(String environment, String policy, Map<String, String> settings) {
        return Runs.small(environment, Algorithm.TRPO, PolicyKind.of(policy), ITERATIONS, settings);
    }

    private static float[] download(Backend backend, DeviceArray array) {
        float[] values = new float[(int) array.length()];
        backend.memory().download(array, values, 0);
        return values;
    }

    @ParameterizedTest
    @CsvSource({"CartPole-v1, mlp", "Pendulum-v1, mlp", "ProofOfMemory-v0, attention", "Pendulum-v1, attention"})
    void everyStepImprovesTheSurrogateWithinTheTrustRegion(String environment, String policy) {
        RunSpec spec = small(environment, policy, Map.of("max_kl", "0.02"));
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            for (int iteration = 0; iteration < ITERATIONS; iteration++) {
                UpdateStatistics update = trainer.iterate();
                assertThat(update.stepFraction()).isPositive();
                // Advantages have mean 0, and so had the loss: it has fallen.
                assertThat(update.loss().policyLoss()).isNegative();
                assertThat(update.loss().approximateKl()).isPositive().isLessThanOrEqualTo(0.02);
                assertThat(update.loss().maxRatioDeviation()).isPositive();
            }
        }
    }

    /**
     * The divergence is quadratic in the step, at first, with the Fisher matrix as its Hessian: without damping, the edge of
     * a small trust region is where a step ends.
     */
    @ParameterizedTest
    @CsvSource({"CartPole-v1, mlp", "Pendulum-v1, mlp", "ProofOfMemory-v0, attention"})
    void aSmallStepGoesToTheEdgeOfTheTrustRegion(String environment, String policy) {
        double edge = 1e-4;
        Map<String, String> settings = Map.of("max_kl", "" + edge, "cg_damping", "0", "cg_iterations", "2");
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, small(environment, policy, settings), directory)) {
            UpdateStatistics update = trainer.iterate();
            double aimed = edge * update.stepFraction() * update.stepFraction();
            assertThat(update.loss().approximateKl()).isBetween(0.8 * aimed, 1.2 * aimed);
        }
    }

    /** The trunk learns from the policy alone, so that a linear function of it can't be fitted to values that bend. */
    @Test
    void valuesBendAlongALineOfTheTrunksOutputs() {
        try (Backend backend = Runs.cpu(1);
                OpenRun run = OpenRun.start(backend, small("CartPole-v1", "attention", Map.of()));
                Tape tape = Tape.inference(backend)) {
            ActorCritic network = run.agent.network();
            int width = network.valueFeatureCount();
            float[] features = new float[3 * width];
            for (int i = 0; i < width; i++) {
                features[i] = (i % 3) - 1;
                features[width + i] = (i % 5) * 0.5f - 1;
                features[2 * width + i] = (features[i] + features[width + i]) / 2;
            }
            float[] values = download(
                    backend,
                    run.context
                            .valuesOf(tape.constant(features, 3, width), tape.allocate(DType.I32, 3))
                            .array());
            assertThat(Math.abs((values[0] + values[1]) / 2 - values[2])).isGreaterThan(0.01f);
        }
    }

    @Test
    void withoutAdvantagesThePolicyStaysAsItIs() {
        try (Backend backend = Runs.cpu(1);
                OpenRun run = OpenRun.start(backend, small("ProofOfMemory-v0", "attention", Map.of()))) {
            run.collect();
            // Returns of 0 everywhere, expected as such.
            backend.memory().fill(run.rollout.rewards(), 0);
            backend.memory().fill(run.rollout.values(), 0);
            backend.memory().fill(run.rollout.nextValues(), 0);
            float[] before = run.parameters();
            UpdateStatistics update = run.learner.update(0, 7, 0, 0);
            assertThat(update.stepFraction()).isZero();
            assertThat(update.loss().approximateKl()).isZero();
            assertPolicyUnchanged(run, before);
        }
    }

    /** A trust region of a few roundings is too small for any step to fall into. */
    @ParameterizedTest
    @CsvSource({"CartPole-v1, mlp", "ProofOfMemory-v0, attention"})
    void whereNoLengthFitsNoStepIsTaken(String environment, String policy) {
        Map<String, String> settings = Map.of("max_kl", "1e-30", "line_search_steps", "3");
        try (Backend backend = Runs.cpu(2);
                OpenRun run = OpenRun.start(backend, small(environment, policy, settings))) {
            run.collect();
            float[] before = run.parameters();
            UpdateStatistics update = run.learner.update(0, 7, 0, 0);
            assertThat(update.stepFraction()).isZero();
            assertPolicyUnchanged(run, before);
            assertThat(run.parameters())
                    .as("the value function learns all the same")
                    .isNotEqualTo(before);
        }
    }

    private static void assertPolicyUnchanged(OpenRun run, float[] before) {
        float[] after = run.parameters();
        for (Parameter parameter : run.agent.parameters().all()) {
            for (int i = 0; i < parameter.length() && !parameter.name().startsWith("value"); i++) {
                int index = (int) parameter.offset() + i;
                assertThat(after[index]).as(parameter.name()).isEqualTo(before[index]);
            }
        }
    }

    @Test
    void valuesAreFittedToReturns() {
        RunSpec spec = small("Pendulum-v1", "attention", Map.of("value_epochs", "40", "learning_rate", "0.01"));
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            double first = trainer.iterate().loss().valueLoss();
            double last = first;
            for (int iteration = 1; iteration < ITERATIONS; iteration++) {
                last = trainer.iterate().loss().valueLoss();
            }
            assertThat(last).isLessThan(0.7 * first);
        }
    }

    @Test
    void aRewardThatIsNotFiniteLeavesTheParametersAsTheyWere() {
        for (boolean gpu : new boolean[] {false, true}) {
            try (Backend backend = gpu ? Simulator.open() : Runs.cpu(2);
                    OpenRun run = OpenRun.start(
                            backend, small("CartPole-v1", "mlp", Map.of("cg_iterations", "2", "width", "8")))) {
                run.collect();
                backend.memory().fill(run.rollout.rewards().slice(7, 1), Double.NaN);
                float[] before = run.parameters();
                assertThatThrownBy(() -> run.learner.update(0, 7, 0, 50))
                        .isInstanceOf(NonFiniteException.class)
                        .hasMessageContaining("50");
                assertThat(run.parameters()).isEqualTo(before);
            }
        }
    }

    /** Two updates, of which the second replays what the first captured, are the CPU's but for rounding. */
    @ParameterizedTest
    @CsvSource({
        "Pendulum-v1, mlp, 0",
        "MemoryChain-v0:length=2, attention, 0",
        "popgym-RepeatPreviousEasy-v0, attention, 4",
        "popgym-RepeatPreviousEasy-v0, gru, 5"
    })
    void learnsOnAGpuAsOnTheCpu(String environment, String policy, int burnIn) {
        Map<String, String> settings = new HashMap<>(
                Map.of("width", "8", "layers", "1", "window", "3", "rollout_steps", "6", "cg_iterations", "3"));
        settings.put("value_epochs", "1");
        settings.put("burn_in", "" + burnIn);
        // Well conditioned, so that rounding is not magnified.
        settings.put("cg_damping", "1");
        RunSpec spec = small(environment, policy, settings)
                .withEnvironments(9)
                .withSeed(3)
                .withSteps(2 * 9 * 6);
        float[][] parameters = new float[2][];
        double[] divergences = new double[2];
        for (int device = 0; device < 2; device++) {
            try (Backend backend = device == 0 ? Runs.cpu(1) : Simulator.open();
                    Trainer trainer = Trainer.start(backend, spec, directory.resolve("" + device))) {
                trainer.iterate();
                divergences[device] = trainer.iterate().loss().approximateKl();
                parameters[device] = Runs.parameters(trainer);
            }
        }
        assertThat(divergences[1]).isPositive().isCloseTo(divergences[0], within(0.01 * divergences[0]));
        assertThat(parameters[1]).containsExactly(parameters[0], within(1e-4f));
    }

    @ParameterizedTest
    @CsvSource({"CartPole-v1, mlp", "Pendulum-v1, attention"})
    void anyNumberOfThreadsGivesTheSameParameters(String environment, String policy) {
        RunSpec spec = small(environment, policy, Map.of());
        float[] one = train(spec, 1, "one");
        assertThat(train(spec, 5, "five")).isEqualTo(one);
    }

    @ParameterizedTest
    @CsvSource({"CartPole-v1, mlp", "Pendulum-v1, mlp", "popgym-RepeatPreviousEasy-v0, attention"})
    void aResumedRunEndsWhereAnUninterruptedOneDoes(String environment, String policy) throws IOException {
        RunSpec spec = small(environment, policy, Map.of());
        float[] uninterrupted = train(spec, 2, "whole");
        Path run = directory.resolve("parts");
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, run)) {
            int[] iterations = {0};
            trainer.run(progress -> iterations[0]++, () -> iterations[0] == 2);
        }
        SavedRun saved = SavedRun.load(run);
        assertThat(saved.spec()).isEqualTo(spec);
        assertThat(saved.spec().config().algorithm()).isEqualTo("trpo");
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.resume(backend, spec, saved, run)) {
            trainer.run(Progress.Listener.NONE, () -> false);
            assertThat(Runs.parameters(trainer)).isEqualTo(uninterrupted);
        }
    }

    @Test
    void trainingReservesNoMemoryAfterItsFirstIterationAndKeepsNoneWhenClosed() {
        RunSpec spec = small("ProofOfMemory-v0", "attention", Map.of());
        try (Backend backend = Runs.cpu(1)) {
            try (Trainer trainer = Trainer.start(backend, spec, directory)) {
                trainer.iterate();
                long reserved = backend.memory().reservedBytes();
                for (int i = 1; i < ITERATIONS; i++) {
                    trainer.iterate();
                }
                assertThat(backend.memory().reservedBytes()).isEqualTo(reserved);
            }
            assertThat(backend.memory().liveBytes()).isZero();
        }
    }

    /** Without memory the best mean return is 0. */
    @Test
    void anAttentionPolicyLearnsToRemember() {
        Map<String, String> settings = Map.of("max_kl", "0.05", "rollout_steps", "16", "learning_rate", "0.01");
        RunSpec spec = small("MemoryChain-v0:length=3", "attention", settings)
                .withSeed(2)
                .withSteps(30 * 16 * 40);
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            for (long iteration = 0; iteration < spec.iterations(); iteration++) {
                trainer.iterate();
            }
            assertThat(OpenRun.of(trainer).episodes.statistics().meanReturn()).isGreaterThan(0.9);
        }
    }

    private float[] train(RunSpec spec, int threads, String name) {
        try (Backend backend = Runs.cpu(threads);
                Trainer trainer = Trainer.start(backend, spec, directory.resolve(name))) {
            trainer.run(Progress.Listener.NONE, () -> false);
            return Runs.parameters(trainer);
        }
    }
}
