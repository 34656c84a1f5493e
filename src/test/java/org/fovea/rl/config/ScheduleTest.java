// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScheduleTest {
    /** The cosine of 60, 90 and 120 degrees is 1/2, 0 and -1/2. */
    @ParameterizedTest
    @CsvSource({
        "CONSTANT, 0, 0.5",
        "CONSTANT, 0.7, 0.5",
        "CONSTANT, 1, 0.5",
        "LINEAR, 0, 0.5",
        "LINEAR, 0.2, 0.4",
        "LINEAR, 1, 0",
        "COSINE, 0, 0.5",
        "COSINE, 0.3333333333333333, 0.375",
        "COSINE, 0.5, 0.25",
        "COSINE, 0.6666666666666667, 0.125",
        "COSINE, 1, 0"
    })
    void fallsFromTheStartToNothing(Schedule schedule, double progress, double expected) {
        assertThat(schedule.at(0.5, progress)).isCloseTo(expected, within(1e-15));
    }
}
