// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

/**
 * The learning rate by the KL divergence that it causes, as in RSL-RL (Rudin et al. 2022, arXiv:2109.11978) and the trainers of
 * Isaac Gym: divided by {@value #FACTOR} where an epoch's mean KL is above twice the target, multiplied by it where that is below
 * half, within {@value #LEAST} and {@value #MOST}.
 */
final class AdaptiveRate {
    private static final double FACTOR = 1.5;
    private static final double LEAST = 1e-5;
    private static final double MOST = 1e-2;

    private AdaptiveRate() {}

    /** The rate of the next epoch. */
    static double next(double rate, double kl, double target) {
        if (kl > 2 * target) {
            return Math.max(LEAST, rate / FACTOR);
        }
        // At no divergence at all nothing was learned, whatever the rate.
        return kl < target / 2 && kl > 0 ? Math.min(MOST, rate * FACTOR) : rate;
    }
}
