// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import org.fovea.collective.Collective;
import org.fovea.rl.policy.RunningMoments;
import org.fovea.rl.policy.SharedMoments;

/**
 * Divides rewards by the running standard deviation of the discounted return, clipped to [-10, 10]; or leaves them alone. A
 * policy never sees rewards, so a segment's own are part of the deviation that they are divided by: the first ones of a run
 * too.
 */
final class RewardNormalizer {
    private static final double LIMIT = 10;

    private final boolean enabled;
    private final float gamma;
    private final SharedMoments moments = new SharedMoments(1);
    private double reciprocalStd = 1;

    /** @param collective the members whose returns count */
    RewardNormalizer(boolean enabled, float gamma, Collective collective) {
        this.enabled = enabled;
        this.gamma = gamma;
        if (collective.size() > 1) {
            moments.shareBy(collective::gather);
        }
    }

    boolean enabled() {
        return enabled;
    }

    float normalize(float reward) {
        return enabled ? (float) Math.max(-LIMIT, Math.min(LIMIT, reward * reciprocalStd)) : reward;
    }

    /** By which later rewards count less. */
    float gamma() {
        return gamma;
    }

    /** Takes in discounted returns; they count from the next {@link #refresh} on. */
    void include(float[] discountedReturns, int count) {
        moments.include(discountedReturns, 0, count);
    }

    /** Takes in what all members have included; called by all of them. */
    void exchange() {
        if (enabled) {
            moments.exchange();
        }
    }

    /** Makes what was included count. */
    void refresh() {
        reciprocalStd = 1 / moments.ofAll().std(0);
    }

    RunningMoments moments() {
        return moments.ofAll();
    }
}
