// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.NearestEntity;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.Trainer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** PPO on the cuda backend: on the simulator, or with -Dfovea.test.gpu=true on the machine's own device. */
@Tag("integration")
class PpoOnCudaTest {
    @TempDir
    Path directory;

    @BeforeAll
    static void register() {
        NearestEntity.register();
    }

    private static RunSpec spec(
            String environment, String policy, long iterations, int environments, Map<String, String> settings) {
        RunSpec run = Runs.small(environment, PolicyKind.of(policy), 1, settings)
                .with(Map.of("layers", "1", "window", "3", "rollout_steps", "12"))
                .withEnvironments(environments)
                .withSeed(3);
        return run.withSteps(iterations * run.stepsPerIteration());
    }

    /** Acting without memory scores 0 on average. */
    @Test
    void learnsToRemember() {
        RunSpec spec = spec(
                "MemoryChain-v0:length=2",
                "attention",
                20,
                32,
                Map.of(
                        "epochs",
                        "4",
                        "minibatches",
                        "1",
                        "learning_rate",
                        "0.01",
                        "learning_rate_schedule",
                        "constant"));
        try (Backend backend = Simulator.open();
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            for (long iteration = 0; iteration < spec.iterations(); iteration++) {
                trainer.iterate();
            }
            assertThat(OpenRun.of(trainer).episodes.statistics().meanReturn()).isGreaterThan(0.9);
        }
    }

    /** What one update leaves: parameters, and Adam's first moment, which is a tenth of the clipped gradient. */
    private record Updated(float[] parameters, float[] moment) {}

    private Updated updateOnce(Backend backend, RunSpec spec, String name) {
        try (backend;
                Trainer trainer = Trainer.start(backend, spec, directory.resolve(name))) {
            trainer.iterate();
            float[] parameters = Runs.parameters(trainer);
            float[] moment = new float[parameters.length];
            backend.memory().download(OpenRun.of(trainer).learner.persistent().get("adam.first_moment"), moment, 0);
            return new Updated(parameters, moment);
        }
    }

    /**
     * Adam's first step is lr g / (|g| + e), all but the sign of g: where the gradients differ by d, steps differ by at most
     * lr 2 d / |g|, and by 2 lr where g may be of either sign. Sums over the rows of the rollout round each gradient by
     * some rows / 2 units, relative to the largest.
     */
    @ParameterizedTest
    @CsvSource({"MemoryChain-v0:length=2, attention", "NearestEntityAndCount-v0, mlp", "NearestEntity-v0, attention"})
    void theFirstUpdateEqualsTheCpusButForRounding(String environment, String policy) {
        RunSpec spec =
                spec(environment, policy, 1, 9, Map.of("epochs", "1", "minibatches", "1", "learning_rate", "0.01"));
        Updated cpu = updateOnce(Runs.cpu(1), spec, "cpu");
        Updated cuda = updateOnce(Simulator.open(), spec, "cuda");

        float largest = 0;
        for (float moment : cpu.moment) {
            largest = Math.max(largest, Math.abs(moment));
        }
        assertThat(largest).isPositive();
        float rounding = spec.stepsPerIteration() / 2f * 0x1p-24f * largest;
        assertThat(cuda.moment).hasSameSizeAs(cpu.moment);
        for (int i = 0; i < cpu.moment.length; i++) {
            assertThat(cuda.moment[i]).as("moment %d", i).isCloseTo(cpu.moment[i], within(rounding));
            float step = 0.01f * Math.min(2, 2 * rounding / Math.abs(cpu.moment[i]));
            assertThat(cuda.parameters[i])
                    .as("parameter %d", i)
                    .isCloseTo(cpu.parameters[i], within(step + 2 * Math.ulp(cpu.parameters[i])));
        }
    }

    /** Captured steps recompute memory by parameters, and from steps, that have changed since they were captured. */
    @ParameterizedTest
    @CsvSource({"attention, auto", "attention, separate", "gru, auto"})
    void withABurnInFirstRatiosAreOne(String policy, String critic) {
        Map<String, String> settings =
                Map.of("epochs", "1", "minibatches", "1", "learning_rate", "0.01", "burn_in", "5", "critic", critic);
        RunSpec spec = spec("popgym-RepeatPreviousEasy-v0", policy, 3, 5, settings);
        try (Backend backend = Simulator.open();
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            for (long iteration = 0; iteration < spec.iterations(); iteration++) {
                assertThat(trainer.iterate().loss().maxRatioDeviation())
                        .as("iteration %d", iteration)
                        .isLessThan(1e-4f);
            }
        }
    }
}
