// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import org.fovea.backend.rl.PpoLoss;
import org.fovea.rl.rollout.NonFiniteException;

/**
 * Means over the rows that an update saw.
 *
 * @param entropy of the policy, in nats
 * @param approximateKl divergence of the policy before from that after, in nats; exact within a trust region
 * @param clipFraction share of rows whose probability ratio left the clip range
 * @param maxRatioDeviation largest |ratio - 1| of any row
 */
public record LossStatistics(
        double policyLoss,
        double valueLoss,
        double entropy,
        double approximateKl,
        double clipFraction,
        double maxRatioDeviation) {

    /**
     * Means of the rows of some records.
     *
     * @param sums records of {@link PpoLoss#STATISTICS} numbers, one after another
     */
    public static LossStatistics of(float[] sums, int length, long rows) {
        double[] totals = new double[PpoLoss.STATISTICS];
        double deviation = 0;
        for (int i = 0; i < length; i += PpoLoss.STATISTICS) {
            for (int j = 0; j < PpoLoss.STATISTICS; j++) {
                totals[j] += sums[i + j];
            }
            deviation = Math.max(deviation, sums[i + PpoLoss.MAX_RATIO_DEVIATION]);
        }
        return new LossStatistics(
                totals[PpoLoss.POLICY_LOSS] / rows,
                totals[PpoLoss.VALUE_LOSS] / rows,
                totals[PpoLoss.ENTROPY] / rows,
                totals[PpoLoss.APPROXIMATE_KL] / rows,
                totals[PpoLoss.CLIPPED] / rows,
                deviation);
    }

    /** The same with an exact divergence. */
    public LossStatistics withDivergence(double divergence) {
        return new LossStatistics(policyLoss, valueLoss, entropy, divergence, clipFraction, maxRatioDeviation);
    }

    /** Throws a {@link NonFiniteException} that names {@code step} if a loss is not finite. */
    public void checkFinite(long step) {
        NonFiniteException.check("policy loss", policyLoss, step);
        NonFiniteException.check("value loss", valueLoss, step);
        NonFiniteException.check("entropy", entropy, step);
    }
}
