package org.fovea.rl;

/**
 * Undiscounted returns of complete episodes.
 *
 * @param std of the returns, of the population
 * @param steps played, by all episodes together
 */
public record EvaluationResult(
        int episodes, double mean, double std, double min, double max, double meanLength, long steps) {

    /** Standard error of the mean. */
    public double standardError() {
        return episodes < 2 ? Double.NaN : std / Math.sqrt(episodes - 1.0);
    }
}
