// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class GemmBenchTest {
    @Test
    void theDifferenceIsRelativeToTheOther() {
        GemmBench other = new GemmBench(1, new float[] {3, 0, -4, 0});
        assertThat(new GemmBench(2, new float[] {3, 0.3f, -4, -0.4f}).differenceFrom(other))
                .isCloseTo(0.1, within(1e-7));
        assertThat(other.differenceFrom(other)).isZero();
        assertThat(new GemmBench(1, new float[] {3, Float.NaN, -4, 0}).differenceFrom(other))
                .isNaN();
    }
}
