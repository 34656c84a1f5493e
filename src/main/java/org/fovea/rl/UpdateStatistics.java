package org.fovea.rl;

import org.fovea.backend.PpoLoss;

/**
 * Means over the rows that an update saw.
 *
 * @param entropy of the policy, in nats
 * @param approximateKl between the policies before and after, in nats
 * @param clipFraction share of rows whose probability ratio left the clip range
 * @param maxRatioDeviation largest |ratio - 1| of any row
 */
record UpdateStatistics(
        double policyLoss,
        double valueLoss,
        double entropy,
        double approximateKl,
        double clipFraction,
        double maxRatioDeviation) {

    /** @param sums records of {@link PpoLoss#STATISTICS} numbers, one after another */
    static UpdateStatistics of(float[] sums, int length, long rows) {
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
                deviation);
    }

    void checkFinite(long step) {
        check("policy loss", policyLoss, step);
        check("value loss", valueLoss, step);
        check("entropy", entropy, step);
    }

    private static void check(String name, double value, long step) {
        if (!Double.isFinite(value)) {
            throw new NonFiniteException(name, value, step);
        }
    }
}
