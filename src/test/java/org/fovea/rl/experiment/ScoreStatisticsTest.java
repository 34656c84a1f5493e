// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.fovea.rl.experiment.ScoreStatistics.Estimate;
import org.junit.jupiter.api.Test;

class ScoreStatisticsTest {
    private static final double[] TEN = {3, -7, 100, 2.5, 4, 0.5, 8, 1, 6, -50};

    @Test
    void mediansAreOfTheMiddle() {
        assertThat(ScoreStatistics.median(TEN)).isEqualTo(2.75);
        assertThat(ScoreStatistics.median(new double[] {5, 1, 2})).isEqualTo(2);
        assertThat(ScoreStatistics.median(new double[0])).isNaN();
    }

    /** scipy.stats.trim_mean(scores, 0.25), which rliable takes. */
    @Test
    void theInterquartileMeanLeavesOutAQuarterOnEachSide() {
        assertThat(ScoreStatistics.interquartileMean(TEN)).isCloseTo(2.8333333333333335, within(1e-12));
        assertThat(ScoreStatistics.interquartileMean(new double[] {0, 1, 2, 100}))
                .isEqualTo(1.5);
        assertThat(ScoreStatistics.interquartileMean(new double[] {4, 1, 1})).isEqualTo(2);
        assertThat(ScoreStatistics.interquartileMean(new double[0])).isNaN();
    }

    /** All three draws are of the lowest in 1 of 27 resamples, which is more than 2.5 %. */
    @Test
    void theIntervalOfThreeScoresIsAllOfTheirRange() {
        Estimate estimate = ScoreStatistics.interquartileMean(List.of(new double[] {5, 1, 3}));
        assertThat(estimate).isEqualTo(new Estimate(3, 1, 5));
    }

    /** With 100 scores it is that of the normal distribution: 1.96 standard errors of the mean on each side. */
    @Test
    void theIntervalOfManyScoresIsThatOfTheirMean() {
        double[] scores = new double[100];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = i % 2;
        }
        Estimate estimate = ScoreStatistics.estimate(
                List.of(scores), all -> java.util.Arrays.stream(all).average().orElseThrow());
        assertThat(estimate.value()).isEqualTo(0.5);
        assertThat(estimate.low()).isCloseTo(0.5 - 1.96 * 0.05, within(0.015));
        assertThat(estimate.high()).isCloseTo(0.5 + 1.96 * 0.05, within(0.015));
    }

    /** Unstratified resamples would mix the two tasks in other shares. */
    @Test
    void everyTaskIsResampledByItself() {
        Estimate estimate =
                ScoreStatistics.interquartileMean(List.of(new double[] {0, 0, 0, 0}, new double[] {1, 1, 1, 1}));
        assertThat(estimate).isEqualTo(new Estimate(0.5, 0.5, 0.5));
    }
}
