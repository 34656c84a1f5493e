// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

/**
 * Undiscounted returns of the episodes that were played to their end.
 *
 * @param episodes that count
 * @param requested episodes that were to be played
 * @param cut those among them that ended by {@link EvaluationSettings#maxSteps}
 * @param end why there are not more
 * @param std of the returns, of the population
 * @param steps played, by all episodes that count together
 */
public record EvaluationResult(
        int episodes,
        int requested,
        int cut,
        End end,
        double mean,
        double std,
        double min,
        double max,
        double meanLength,
        long steps) {

    /** How an evaluation ended. */
    public enum End {
        /** All were played. */
        COMPLETE,
        /** Time was up. */
        OUT_OF_TIME,
        /** It was asked to stop. */
        STOPPED
    }

    /** No episodes, and so no returns. */
    public static EvaluationResult none(int requested, End end) {
        return new EvaluationResult(
                0, requested, 0, end, Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN, 0);
    }

    /** Standard error of the mean. */
    public double standardError() {
        return episodes < 2 ? Double.NaN : std / Math.sqrt(episodes - 1.0);
    }
}
