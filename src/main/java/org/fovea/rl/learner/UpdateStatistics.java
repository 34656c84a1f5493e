package org.fovea.rl.learner;

import org.fovea.backend.rl.PpoLoss;
import org.fovea.rl.rollout.NonFiniteException;

/**
 * Means over the rows that an update saw, and what else is known of it.
 *
 * @param entropy of the policy, in nats
 * @param approximateKl divergence of the policy before from that after, in nats; exact within a trust region
 * @param clipFraction share of rows whose probability ratio left the clip range
 * @param maxRatioDeviation largest |ratio - 1| of any row
 * @param stepFraction share of the step to the edge of the trust region that was taken, 0 for none; NaN where there is no
 *     trust region
 * @param learningRate of the update; under TRPO that of the value function
 * @param gradientNorm global norm of the last gradient, before clipping; under TRPO that of the policy
 * @param explainedVariance share of the returns' variance that the values predicted; NaN where all returns are the same
 */
public record UpdateStatistics(
        double policyLoss,
        double valueLoss,
        double entropy,
        double approximateKl,
        double clipFraction,
        double maxRatioDeviation,
        double stepFraction,
        double learningRate,
        double gradientNorm,
        double explainedVariance) {

    /** Of no update. */
    public static final UpdateStatistics NONE = new UpdateStatistics(
            Double.NaN,
            Double.NaN,
            Double.NaN,
            Double.NaN,
            Double.NaN,
            Double.NaN,
            Double.NaN,
            Double.NaN,
            Double.NaN,
            Double.NaN);

    /**
     * Those of an update.
     *
     * @param sums records of {@link PpoLoss#STATISTICS} numbers, one after another
     */
    public static UpdateStatistics of(float[] sums, int length, long rows) {
        double[] totals = new double[PpoLoss.STATISTICS];
        double deviation = 0;
        for (int i = 0; i < length; i += PpoLoss.STATISTICS) {
            for (int j = 0; j < PpoLoss.STATISTICS; j++) {
                totals[j] += sums[i + j];
            }
            deviation = Math.max(deviation, sums[i + PpoLoss.MAX_RATIO_DEVIATION]);
        }
        return new UpdateStatistics(
                totals[PpoLoss.POLICY_LOSS] / rows,
                totals[PpoLoss.VALUE_LOSS] / rows,
                totals[PpoLoss.ENTROPY] / rows,
                totals[PpoLoss.APPROXIMATE_KL] / rows,
                totals[PpoLoss.CLIPPED] / rows,
                deviation,
                Double.NaN,
                Double.NaN,
                Double.NaN,
                Double.NaN);
    }

    /** The same with an exact divergence, after a step within a trust region. */
    public UpdateStatistics withStep(double divergence, double fraction) {
        return new UpdateStatistics(
                policyLoss,
                valueLoss,
                entropy,
                divergence,
                clipFraction,
                maxRatioDeviation,
                fraction,
                learningRate,
                gradientNorm,
                explainedVariance);
    }

    /** The same by an optimiser's step at this learning rate and with this gradient. */
    public UpdateStatistics withGradient(double rate, double norm) {
        return new UpdateStatistics(
                policyLoss,
                valueLoss,
                entropy,
                approximateKl,
                clipFraction,
                maxRatioDeviation,
                stepFraction,
                rate,
                norm,
                explainedVariance);
    }

    /** The same with values that predicted this share of the returns' variance. */
    public UpdateStatistics withExplainedVariance(double share) {
        return new UpdateStatistics(
                policyLoss,
                valueLoss,
                entropy,
                approximateKl,
                clipFraction,
                maxRatioDeviation,
                stepFraction,
                learningRate,
                gradientNorm,
                share);
    }

    public void checkFinite(long step) {
        NonFiniteException.check("policy loss", policyLoss, step);
        NonFiniteException.check("value loss", valueLoss, step);
        NonFiniteException.check("entropy", entropy, step);
    }
}
