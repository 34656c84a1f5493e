// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

import static org.fovea.rl.config.Hyperparameters.require;

/**
 * Hyper-parameters of what is played between updates, and of what it is worth.
 *
 * @param gamma discount
 * @param gaeLambda of generalised advantage estimation
 * @param rolloutSteps steps of every environment per rollout
 * @param normalizeObservations by running mean and variance, clipped to [-10, 10]
 * @param normalizeRewards by the running standard deviation of the discounted return, clipped to [-10, 10]
 */
public record RolloutConfig(
        float gamma, float gaeLambda, int rolloutSteps, boolean normalizeObservations, boolean normalizeRewards) {
    /** Discount 0.99 over rollouts of 128 steps, normalised. */
    public static final RolloutConfig BASE = new RolloutConfig(0.99f, 0.95f, 128, true, true);

    /** Checks every range; the message names the hyper-parameter. */
    public RolloutConfig {
        require(gamma >= 0 && gamma <= 1, "gamma", gamma, "from 0 to 1");
        require(gaeLambda >= 0 && gaeLambda <= 1, "gae_lambda", gaeLambda, "from 0 to 1");
        require(rolloutSteps >= 1, "rollout_steps", rolloutSteps, "at least 1");
    }
}
