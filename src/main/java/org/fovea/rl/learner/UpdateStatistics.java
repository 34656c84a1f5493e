// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

/**
 * The outcome of an update.
 *
 * @param stepFraction share of the step to the edge of the trust region that was taken, 0 for none; NaN where there is no
 *     trust region
 * @param learningRate of the update; under TRPO that of the value function
 * @param gradientNorm global norm of the last gradient, before clipping; under TRPO that of the policy
 * @param explainedVariance share of the returns' variance that the values predicted; NaN where all returns are the same
 */
public record UpdateStatistics(
        LossStatistics loss, double stepFraction, double learningRate, double gradientNorm, double explainedVariance) {

    /** Of no update. */
    public static final UpdateStatistics NONE = new UpdateStatistics(
            new LossStatistics(Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN),
            Double.NaN,
            Double.NaN,
            Double.NaN);

    /** Before the explained variance is known. */
    public UpdateStatistics(LossStatistics loss, double stepFraction, double learningRate, double gradientNorm) {
        this(loss, stepFraction, learningRate, gradientNorm, Double.NaN);
    }

    /** The same with values that predicted this share of the returns' variance. */
    public UpdateStatistics withExplainedVariance(double share) {
        return new UpdateStatistics(loss, stepFraction, learningRate, gradientNorm, share);
    }
}
