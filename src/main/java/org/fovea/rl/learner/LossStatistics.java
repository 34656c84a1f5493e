// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import org.fovea.backend.rl.PpoLoss;
import org.fovea.collective.Collective;
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
    private static final int DEVIATION = PpoLoss.STATISTICS;

    /**
     * Means of the rows of some records of all members.
     *
     * @param sums records of {@link PpoLoss#STATISTICS} numbers, one after another; those of this member
     * @param rows of all members together
     */
    public static LossStatistics of(float[] sums, int length, long rows, Collective collective) {
        double[] own = totals(sums, length);
        if (collective.size() == 1) {
            return of(own, rows);
        }
        double[] totals = new double[own.length];
        for (double[] ofMember : collective.gather(own)) {
            for (int i = 0; i < DEVIATION; i++) {
                totals[i] += ofMember[i];
            }
            totals[DEVIATION] = Math.max(totals[DEVIATION], ofMember[DEVIATION]);
        }
        return of(totals, rows);
    }

    /** Sums of the records' numbers, and then the largest deviation. */
    private static double[] totals(float[] sums, int length) {
        double[] totals = new double[DEVIATION + 1];
        for (int i = 0; i < length; i += PpoLoss.STATISTICS) {
            for (int j = 0; j < PpoLoss.STATISTICS; j++) {
                totals[j] += sums[i + j];
            }
            totals[DEVIATION] = Math.max(totals[DEVIATION], sums[i + PpoLoss.MAX_RATIO_DEVIATION]);
        }
        return totals;
    }

    private static LossStatistics of(double[] totals, long rows) {
        return new LossStatistics(
                totals[PpoLoss.POLICY_LOSS] / rows,
                totals[PpoLoss.VALUE_LOSS] / rows,
                totals[PpoLoss.ENTROPY] / rows,
                totals[PpoLoss.APPROXIMATE_KL] / rows,
                totals[PpoLoss.CLIPPED] / rows,
                totals[DEVIATION]);
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
