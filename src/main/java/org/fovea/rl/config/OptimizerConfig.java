// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

import static org.fovea.rl.config.Hyperparameters.require;

import org.fovea.backend.rl.AdamSettings;

/**
 * Hyper-parameters of Adam.
 *
 * @param learningRate at the start
 * @param learningRateSchedule how it falls over the run
 * @param adamEpsilon what keeps its divisor from 0
 * @param maxGradNorm limit of the gradient's global norm, 0 for none
 */
public record OptimizerConfig(float learningRate, Schedule learningRateSchedule, float adamEpsilon, float maxGradNorm) {
    /** Learning rate 1e-3, falling linearly to 0; gradients clipped to a norm of 0.5. */
    public static final OptimizerConfig BASE = new OptimizerConfig(1e-3f, Schedule.LINEAR, 1e-5f, 0.5f);

    /** Checks every range; the message names the hyper-parameter. */
    public OptimizerConfig {
        require(learningRate >= 0 && Float.isFinite(learningRate), "learning_rate", learningRate, "a number from 0 up");
        require(adamEpsilon > 0, "adam_epsilon", adamEpsilon, "greater than 0");
        require(maxGradNorm >= 0, "max_grad_norm", maxGradNorm, "0 (none) or more");
    }

    /** When the given share of the run is done. */
    public double learningRateAt(double progress) {
        return learningRateSchedule.at(learningRate, progress);
    }

    /** With a decay of weights, 0 for none. */
    public AdamSettings adam(float weightDecay) {
        float limit = maxGradNorm == 0 ? Float.POSITIVE_INFINITY : maxGradNorm;
        return new AdamSettings(0.9f, 0.999f, adamEpsilon, limit, weightDecay);
    }
}
