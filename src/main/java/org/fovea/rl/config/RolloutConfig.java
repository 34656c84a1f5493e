// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

import static org.fovea.rl.config.Hyperparameters.require;

/**
 * Hyper-parameters of what is played between updates, and of what it is worth.
 *
 * @param gamma discount
 * @param gaeLambda of generalised advantage estimation
 * @param rolloutSteps steps of every environment per rollout
 * @param burnIn the last steps of the rollout before that a policy with memory goes through again, under the parameters of the
 *     moment and without gradient, before it plays a rollout and before it learns from one (R2D2, Kapturowski et al. 2019); 0 for
 *     none: it begins with the memory that play left behind
 * @param normalizeObservations by running mean and variance, clipped to [-10, 10]
 * @param normalizeRewards by the running standard deviation of the discounted return, clipped to [-10, 10]
 */
public record RolloutConfig(
        float gamma,
        float gaeLambda,
        int rolloutSteps,
        int burnIn,
        boolean normalizeObservations,
        boolean normalizeRewards) {
    /** Discount 0.99 over rollouts of 128 steps, normalised. */
    public static final RolloutConfig BASE = new RolloutConfig(0.99f, 0.95f, 128, 0, true, true);

    /** Checks every range; the message names the hyper-parameter. */
    public RolloutConfig {
        require(gamma >= 0 && gamma <= 1, "gamma", gamma, "from 0 to 1");
        require(gaeLambda >= 0 && gaeLambda <= 1, "gae_lambda", gaeLambda, "from 0 to 1");
        require(rolloutSteps >= 1, "rollout_steps", rolloutSteps, "at least 1");
        require(
                burnIn >= 0 && burnIn < rolloutSteps,
                "burn_in",
                burnIn,
                "at least 0 and less than rollout_steps, which is " + rolloutSteps);
    }
}
