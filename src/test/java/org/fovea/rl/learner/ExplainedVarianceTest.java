// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.Rollout;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.Trainer;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ExplainedVarianceTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @EnumSource(Algorithm.class)
    void isTheShareOfTheReturnsThatTheValuesForesaw(Algorithm algorithm) {
        RunSpec spec = Runs.small("Pendulum-v1", algorithm, PolicyKind.MLP, 3, Map.of());
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            trainer.iterate();
            trainer.iterate();
            UpdateStatistics update = trainer.iterate();

            Rollout rollout = OpenRun.of(trainer).rollout;
            float[] values = new float[rollout.rows()];
            float[] returns = new float[rollout.rows()];
            backend.memory().download(rollout.values(), values, 0);
            backend.memory().download(rollout.returns(), returns, 0);
            double[] misses = IntStream.range(0, values.length)
                    .mapToDouble(i -> returns[i] - values[i])
                    .toArray();
            double[] all = IntStream.range(0, values.length)
                    .mapToDouble(i -> returns[i])
                    .toArray();
            assertThat(update.explainedVariance())
                    .isCloseTo(1 - variance(misses) / variance(all), within(1e-5))
                    .isLessThan(1);
            assertThat(update.gradientNorm()).isPositive();
            assertThat(update.learningRate())
                    .isEqualTo(spec.config().optimizer().learningRateAt(2 / 3.0));
        }
    }

    private static double variance(double[] numbers) {
        double mean = IntStream.range(0, numbers.length)
                .mapToDouble(i -> numbers[i])
                .average()
                .orElseThrow();
        return IntStream.range(0, numbers.length)
                .mapToDouble(i -> (numbers[i] - mean) * (numbers[i] - mean))
                .average()
                .orElseThrow();
    }
}
