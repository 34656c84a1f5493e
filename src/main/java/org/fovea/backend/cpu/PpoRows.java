package org.fovea.backend.cpu;

import org.fovea.backend.PpoLoss;

/** The terms of the PPO loss that do not depend on the kind of policy, row by row. */
final class PpoRows {
    private final PpoLoss loss;
    private final CpuArray values;
    private final CpuArray oldLogProbs;
    private final CpuArray advantages;
    private final CpuArray returns;
    private final CpuArray oldValues;
    private final CpuArray dValues;
    private double policyLoss;
    private double valueLoss;
    private double entropies;
    private double approximateKl;
    private int clipped;
    private float maxDeviation;

    PpoRows(
            PpoLoss loss,
            CpuArray values,
            CpuArray oldLogProbs,
            CpuArray advantages,
            CpuArray returns,
            CpuArray oldValues,
            CpuArray dValues) {
        this.loss = loss;
        this.values = values;
        this.oldLogProbs = oldLogProbs;
        this.advantages = advantages;
        this.returns = returns;
        this.oldValues = oldValues;
        this.dValues = dValues;
    }

    /** Adds a row to the statistics, writes its value's gradient and returns the derivative by the log-probability. */
    float row(int r, float logProb, float entropy) {
        value(r);
        entropies += entropy;
        float logRatio = logProb - oldLogProbs.floats[oldLogProbs.offset + r];
        float ratio = ScalarMath.exp(logRatio);
        float bounded = Math.max(1 - loss.clip(), Math.min(1 + loss.clip(), ratio));
        float advantage = advantages.floats[advantages.offset + r];
        float plainLoss = -advantage * ratio;
        float boundedLoss = -advantage * bounded;
        policyLoss += Math.max(plainLoss, boundedLoss);
        approximateKl += ratio - 1 - logRatio;
        clipped += bounded == ratio ? 0 : 1;
        maxDeviation = Math.max(maxDeviation, Math.abs(ratio - 1));
        return plainLoss >= boundedLoss ? plainLoss : 0;
    }

    private void value(int r) {
        float value = values.floats[values.offset + r];
        float error = value - returns.floats[returns.offset + r];
        float squared = error * error / 2;
        float derivative = error;
        if (loss.valueClip() > 0) {
            float oldValue = oldValues.floats[oldValues.offset + r];
            float change = value - oldValue;
            float limit = loss.valueClip();
            float limited = oldValue + Math.max(-limit, Math.min(limit, change)) - (value - error);
            float limitedSquared = limited * limited / 2;
            if (Math.abs(change) > limit && squared < limitedSquared) {
                derivative = 0;
            }
            squared = Math.max(squared, limitedSquared);
        }
        valueLoss += squared;
        dValues.floats[dValues.offset + r] = loss.rowWeight() * loss.valueCoef() * derivative;
    }

    void store(CpuArray statistics) {
        float[] target = statistics.floats;
        int offset = statistics.offset;
        target[offset + PpoLoss.POLICY_LOSS] = (float) policyLoss;
        target[offset + PpoLoss.VALUE_LOSS] = (float) valueLoss;
        target[offset + PpoLoss.ENTROPY] = (float) entropies;
        target[offset + PpoLoss.APPROXIMATE_KL] = (float) approximateKl;
        target[offset + PpoLoss.CLIPPED] = clipped;
        target[offset + PpoLoss.MAX_RATIO_DEVIATION] = maxDeviation;
    }
}
