package org.fovea.rl;

/**
 * Undiscounted returns of complete episodes.
 *
 * @param std of the returns, of the population
 * @param steps played, by all episodes together
 */
public record EvaluationResult(
        int episodes, double mean, double std, double min, double max, double meanLength, long steps) {

    /** No episodes, and so no returns. */
    static final EvaluationResult NONE =
            new EvaluationResult(0, Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN, 0);

    /** Standard error of the mean. */
    public double standardError() {
        return episodes < 2 ? Double.NaN : std / Math.sqrt(episodes - 1.0);
    }
}
