// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;

/**
 * What the scores of a few runs tell, as recommended by Agarwal et al. 2021 ("Deep Reinforcement Learning at the Edge of the
 * Statistical Precipice", arXiv:2108.13264) and computed by their library rliable: the interquartile mean, which outliers move
 * less than the mean, with a confidence interval by stratified bootstrap. Few seeds make rough intervals: of three there are but
 * ten resamples.
 */
public final class ScoreStatistics {
    private static final int RESAMPLES = 2000;
    private static final double CONFIDENCE = 0.95;
    private static final long SEED = 1;

    private ScoreStatistics() {}

    /**
     * A statistic and the interval that bootstrap gives for it.
     *
     * @param low end of the 95 % confidence interval
     */
    public record Estimate(double value, double low, double high) {}

    /** The middle one, or the mean of the two; NaN of none. */
    public static double median(double[] scores) {
        double[] sorted = sorted(scores);
        int n = sorted.length;
        return n == 0 ? Double.NaN : (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    }

    /** Mean of the middle half: of all but the {@code n / 4} lowest and as many highest, rounded down; NaN of none. */
    public static double interquartileMean(double[] scores) {
        double[] sorted = sorted(scores);
        int cut = sorted.length / 4;
        return Arrays.stream(sorted, cut, sorted.length - cut).average().orElse(Double.NaN);
    }

    /** The interquartile mean of all scores together. */
    public static Estimate interquartileMean(List<double[]> strata) {
        return estimate(strata, ScoreStatistics::interquartileMean);
    }

    /**
     * A statistic of all scores together, with the percentiles of what it is of resamples: in each, every stratum's scores are
     * drawn from its own, with replacement.
     *
     * @param strata the scores of each task, one per seed
     */
    static Estimate estimate(List<double[]> strata, ToDoubleFunction<double[]> statistic) {
        double[] all = strata.stream().flatMapToDouble(Arrays::stream).toArray();
        double value = statistic.applyAsDouble(all);
        SplittableRandom random = new SplittableRandom(SEED);
        double[] resample = new double[all.length];
        double[] resampled = new double[RESAMPLES];
        for (int i = 0; i < RESAMPLES; i++) {
            int to = 0;
            for (double[] stratum : strata) {
                for (int k = 0; k < stratum.length; k++) {
                    resample[to++] = stratum[random.nextInt(stratum.length)];
                }
            }
            resampled[i] = statistic.applyAsDouble(resample);
        }
        Arrays.sort(resampled);
        return new Estimate(
                value, percentile(resampled, (1 - CONFIDENCE) / 2), percentile(resampled, (1 + CONFIDENCE) / 2));
    }

    /** By linear interpolation, as in NumPy. */
    private static double percentile(double[] sorted, double share) {
        double place = share * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }

    private static double[] sorted(double[] scores) {
        double[] sorted = scores.clone();
        Arrays.sort(sorted);
        return sorted;
    }
}
