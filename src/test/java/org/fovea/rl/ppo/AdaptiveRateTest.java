// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.Trainer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Learning rates and clip ranges that change while a run is trained. */
@Tag("integration")
class AdaptiveRateTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({
        "1e-3, 0.021, 0.000666666666666667",
        "1e-3, 0.02, 1e-3",
        "1e-3, 0.005, 1e-3",
        "1e-3, 0.0049, 1.5e-3",
        "1e-3, 0, 1e-3",
        "1.2e-5, 1, 1e-5",
        "8e-3, 0.001, 1e-2"
    })
    void fallsAboveTwiceTheTargetAndRisesBelowHalf(double rate, double kl, double expected) {
        assertThat(AdaptiveRate.next(rate, kl, 0.01)).isCloseTo(expected, within(1e-15));
    }

    /** A target that nothing reaches: the rate rises by half after each of two epochs, and from update to update. */
    @Test
    void theRateOfARunRisesWhereThePolicyHardlyMoves() {
        RunSpec spec = Runs.small(
                "CartPole-v1",
                PolicyKind.MLP,
                9,
                Map.of("adaptive_kl", "1000", "learning_rate", "1e-4", "epochs", "2"));
        try (Backend backend = Runs.cpu(1);
                OpenRun run = OpenRun.start(backend, spec)) {
            for (int i = 1; i <= 3; i++) {
                UpdateStatistics update = run.iterate(i);
                assertThat(update.learningRate()).isCloseTo(1e-4 * Math.pow(1.5, 2 * i), within(1e-9));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anAdaptedRateIsGoneOnWith(boolean gpu) throws IOException {
        RunSpec spec = Runs.small(
                "CartPole-v1",
                PolicyKind.MLP,
                4,
                Map.of("adaptive_kl", "1e-4", "epochs", "2", "weight_decay", "0.1", "clip_schedule", "cosine"));
        float[] uninterrupted = train(gpu, spec, directory.resolve("whole"), 4);
        Path run = directory.resolve("parts");
        train(gpu, spec, run, 2);

        assertThat(resume(gpu, SavedRun.load(run).spec(), run)).isEqualTo(uninterrupted);
    }

    /** Half-way a line from 0.2 is at 0.1, also in steps that were captured before. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aClipRangeFallsInStepsThatWereCapturedBefore(boolean gpu) throws IOException {
        Map<String, String> settings =
                Map.of("clip", "0.2", "learning_rate_schedule", "constant", "learning_rate", "0.01");
        RunSpec constant = Runs.small("CartPole-v1", PolicyKind.MLP, 2, settings);
        float[] falling = train(gpu, constant.with(Map.of("clip_schedule", "linear")), directory.resolve("falling"), 2);
        Path run = directory.resolve("changed");
        train(gpu, constant, run, 1);

        float[] changed = resume(gpu, constant.with(Map.of("clip", "0.1")), run);

        assertThat(changed).isEqualTo(falling);
        assertThat(train(gpu, constant, directory.resolve("constant"), 2)).isNotEqualTo(falling);
    }

    private static Backend open(boolean gpu) {
        return gpu ? Simulator.open() : Runs.cpu(1);
    }

    private static float[] train(boolean gpu, RunSpec spec, Path run, int iterations) {
        try (Backend backend = open(gpu);
                Trainer trainer = Trainer.start(backend, spec, run)) {
            int[] done = {0};
            trainer.run(progress -> done[0]++, () -> done[0] == iterations);
            return Runs.parameters(trainer);
        }
    }

    private static float[] resume(boolean gpu, RunSpec spec, Path run) throws IOException {
        try (Backend backend = open(gpu);
                Trainer trainer = Trainer.resume(backend, spec, SavedRun.load(run), run)) {
            trainer.run(Progress.Listener.NONE, () -> false);
            return Runs.parameters(trainer);
        }
    }
}
