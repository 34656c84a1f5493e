// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.fovea.rl.learner.UpdateStatistics;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs the benchmark's body once, so that what is measured is known to learn. */
@Tag("integration")
class TrainBenchmarkTest {
    @ParameterizedTest
    @ValueSource(strings = {"mlp", "attention"})
    void anIterationChangesThePolicy(String policy) throws IOException {
        TrainBenchmark benchmark = new TrainBenchmark();
        benchmark.policy = policy;
        benchmark.open();
        UpdateStatistics update = (UpdateStatistics) benchmark.iteration();
        benchmark.close();
        assertThat(update.loss().valueLoss()).isPositive().isFinite();
        assertThat(update.loss().approximateKl()).isPositive().isLessThan(0.5);
        assertThat(update.loss().entropy()).isPositive().isLessThan(Math.log(2) + 1e-6);
    }
}
