// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import org.fovea.backend.Backend;
import org.fovea.rl.rollout.Rollout;

/**
 * Share of the returns' variance that the values predicted: 1 - Var(return - value) / Var(return); 1 is all of it, 0 what
 * a constant does.
 */
public final class ExplainedVariance {
    private final float[] advantages;
    private final float[] returns;

    /** For rollouts of that number of rows. */
    public ExplainedVariance(int rows) {
        this.advantages = new float[rows];
        this.returns = new float[rows];
    }

    /** Of a rollout whose advantages have been estimated; NaN where all returns are the same. */
    public double of(Backend backend, Rollout rollout) {
        // An advantage is what a return has over its value.
        backend.memory().download(rollout.advantages(), advantages, 0);
        backend.memory().download(rollout.returns(), returns, 0);
        double variance = variance(returns);
        return variance == 0 ? Double.NaN : 1 - variance(advantages) / variance;
    }

    private static double variance(float[] values) {
        double mean = 0;
        for (float value : values) {
            mean += value;
        }
        mean /= values.length;
        double sum = 0;
        for (float value : values) {
            sum += (value - mean) * (value - mean);
        }
        return sum / values.length;
    }
}
