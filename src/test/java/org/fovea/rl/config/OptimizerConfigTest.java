// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class OptimizerConfigTest {
    @Test
    void anAnnealedLearningRateFallsOnAStraightLine() {
        OptimizerConfig annealed = new OptimizerConfig(0.5f, true, 1e-5f, 0);
        assertThat(annealed.learningRateAt(0)).isEqualTo(0.5);
        assertThat(annealed.learningRateAt(0.2)).isCloseTo(0.4, within(1e-15));
        assertThat(annealed.learningRateAt(1)).isZero();
        assertThat(new OptimizerConfig(0.5f, false, 1e-5f, 0).learningRateAt(0.2))
                .isEqualTo(0.5);
    }
}
