// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

/**
 * The episodes that an evaluation plays, and how.
 *
 * @param episodes to play
 * @param seed of the episodes; which ones they are follows from it, their number and that of the run's environments
 * @param maxSteps an episode that has not ended after that many steps is cut there and counted as it is
 * @param maxSeconds after which no more is played, and what has ended counts
 * @param stochastic draw actions from the policy, as in training; else the most likely ones are taken
 */
public record EvaluationSettings(int episodes, long seed, int maxSteps, double maxSeconds, boolean stochastic) {
    /** Seed of the episodes unless another is given; far from the small seeds that people train with. */
    public static final long DEFAULT_SEED = 1_000_003;

    /** An episode's limit unless another is given. */
    public static final int DEFAULT_MAX_STEPS = 10_000;

    /** The evaluation that follows training unless another is given. */
    public static final EvaluationSettings FINAL = new EvaluationSettings(100, DEFAULT_SEED, DEFAULT_MAX_STEPS, 30);

    /** With the most likely actions. */
    public EvaluationSettings(int episodes, long seed, int maxSteps, double maxSeconds) {
        this(episodes, seed, maxSteps, maxSeconds, false);
    }

    /** Checks every range. */
    public EvaluationSettings {
        if (episodes < 0) {
            throw new IllegalArgumentException("episodes must be at least 0, got " + episodes);
        }
        if (maxSteps < 1) {
            throw new IllegalArgumentException("max-episode-steps must be at least 1, got " + maxSteps);
        }
        if (!(maxSeconds > 0)) {
            throw new IllegalArgumentException("seconds of evaluation must be greater than 0, got " + maxSeconds);
        }
    }

    /** That number of episodes of a seed, with the usual limit of steps and none of time. */
    public static EvaluationSettings of(int episodes, long seed) {
        return new EvaluationSettings(episodes, seed, DEFAULT_MAX_STEPS, Double.POSITIVE_INFINITY);
    }

    /** The same episodes with actions drawn from the policy. */
    public EvaluationSettings withSampledActions() {
        return new EvaluationSettings(episodes, seed, maxSteps, maxSeconds, true);
    }

    /** For two evaluations in the time of this one. */
    public EvaluationSettings eachOfTwo() {
        return new EvaluationSettings(episodes, seed, maxSteps, maxSeconds / 2, stochastic);
    }
}
