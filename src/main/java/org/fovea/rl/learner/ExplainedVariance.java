// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import org.fovea.backend.Backend;
import org.fovea.collective.Collective;
import org.fovea.rl.policy.RunningMoments;
import org.fovea.rl.rollout.Rollout;

/**
 * Share of the returns' variance that the values predicted: 1 - Var(return - value) / Var(return); 1 is all of it, 0 what
 * a constant does.
 */
public final class ExplainedVariance {
    private final Collective collective;
    private final float[] advantages;
    private final float[] returns;

    /** For rollouts of which each member has that number of rows. */
    public ExplainedVariance(int rows, Collective collective) {
        this.collective = collective;
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

    private double variance(float[] values) {
        if (collective.size() > 1) {
            RunningMoments own = new RunningMoments(1);
            own.include(values, values.length);
            RunningMoments all = new RunningMoments(1);
            for (double[] ofMember : collective.gather(own.save())) {
                all.merge(ofMember, 0);
            }
            return all.variance(0);
        }
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
