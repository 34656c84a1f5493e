// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class RunningMomentsTest {
    @Test
    void deviationsOfAnyMagnitudeCountButNotRounding() {
        RunningMoments moments = new RunningMoments(3);
        assertThat(moments.std(0)).isEqualTo(1);
        moments.include(new float[] {1e-20f, 1e6f, 0.1f, -1e-20f, 1e6f + 0.125f, 0.1f}, 2);
        assertThat(moments.std(0)).isCloseTo(1e-20, within(1e-26));
        assertThat(moments.std(1)).isEqualTo(1);
        assertThat(moments.std(2)).isEqualTo(1);
        assertThat(moments.mean(1)).isEqualTo(1e6 + 0.0625);
    }
}
