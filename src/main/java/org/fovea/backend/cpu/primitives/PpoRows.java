// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;

/** The terms of the PPO loss that do not depend on the kind of policy, in blocks of rows. */
final class PpoRows {
    private final Kernels kernels;
    private final PpoLoss loss;
    private final PpoBatch<CpuArray> batch;
    private final CpuArray values;
    private final CpuArray dValues;
    private final float[] logRatio = new float[PolicyColumns.ROWS];
    private final float[] ratio = new float[PolicyColumns.ROWS];
    private double policyLoss;
    private double valueLoss;
    private double entropy;
    private double approximateKl;
    private int clipped;
    private float maxDeviation;

    /** Log-probabilities of a block's actions, to be filled before {@link #block}. */
    final float[] logProbs = new float[PolicyColumns.ROWS];

    /** Entropies of a block's rows, to be filled before {@link #block}. */
    final float[] entropies = new float[PolicyColumns.ROWS];

    /** Derivatives of a block's policy losses by the log-probabilities, filled by {@link #block}. */
    final float[] dLogProbs = new float[PolicyColumns.ROWS];

    PpoRows(Kernels kernels, PpoLoss loss, PpoBatch<CpuArray> batch, CpuArray values, CpuArray dValues) {
        this.kernels = kernels;
        this.loss = loss;
        this.batch = batch;
        this.values = values;
        this.dValues = dValues;
    }

    /** Adds rows {@code [first, first + rows)} to the statistics and writes the gradients of their values. */
    void block(int first, int rows) {
        CpuArray oldLogProbs = batch.oldLogProbs();
        for (int r = 0; r < rows; r++) {
            logRatio[r] = logProbs[r] - oldLogProbs.floats[oldLogProbs.offset + first + r];
        }
        kernels.map(UnaryOp.EXP, logRatio, 0, ratio, 0, rows);
        policy(first, rows);
        values(first, rows);
    }

    private void policy(int first, int rows) {
        CpuArray advantages = batch.advantages();
        float clip = batch.clip().floats[batch.clip().offset];
        float low = 1 - clip;
        float high = 1 + clip;
        double lossSum = 0;
        double entropySum = 0;
        double klSum = 0;
        for (int r = 0; r < rows; r++) {
            float advantage = advantages.floats[advantages.offset + first + r];
            float bounded = Math.max(low, Math.min(high, ratio[r]));
            float plainLoss = -advantage * ratio[r];
            float boundedLoss = -advantage * bounded;
            lossSum += Math.max(plainLoss, boundedLoss);
            entropySum += entropies[r];
            klSum += ratio[r] - 1 - logRatio[r];
            clipped += bounded == ratio[r] ? 0 : 1;
            maxDeviation = Math.max(maxDeviation, Math.abs(ratio[r] - 1));
            dLogProbs[r] = plainLoss >= boundedLoss ? plainLoss : 0;
        }
        policyLoss += lossSum;
        entropy += entropySum;
        approximateKl += klSum;
    }

    private void values(int first, int rows) {
        CpuArray returns = batch.returns();
        CpuArray oldValues = batch.oldValues();
        float scale = loss.rowWeight() * loss.valueCoef();
        float limit = loss.valueClip();
        double lossSum = 0;
        for (int r = first; r < first + rows; r++) {
            float value = values.floats[values.offset + r];
            float target = returns.floats[returns.offset + r];
            float error = value - target;
            float squared = error * error;
            float derivative = error;
            if (limit > 0) {
                float oldValue = oldValues.floats[oldValues.offset + r];
                float change = value - oldValue;
                float limited = oldValue + Math.max(-limit, Math.min(limit, change)) - target;
                float limitedSquared = limited * limited;
                derivative = Math.abs(change) > limit && squared < limitedSquared ? 0 : error;
                squared = Math.max(squared, limitedSquared);
            }
            lossSum += squared;
            dValues.floats[dValues.offset + r] = scale * derivative;
        }
        valueLoss += lossSum / 2;
    }

    void store(CpuArray statistics) {
        float[] target = statistics.floats;
        int offset = statistics.offset;
        target[offset + PpoLoss.POLICY_LOSS] = (float) policyLoss;
        target[offset + PpoLoss.VALUE_LOSS] = (float) valueLoss;
        target[offset + PpoLoss.ENTROPY] = (float) entropy;
        target[offset + PpoLoss.APPROXIMATE_KL] = (float) approximateKl;
        target[offset + PpoLoss.CLIPPED] = clipped;
        target[offset + PpoLoss.MAX_RATIO_DEVIATION] = maxDeviation;
    }
}
