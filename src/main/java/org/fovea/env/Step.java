// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import org.jspecify.annotations.Nullable;

/**
 * The outcome of one step.
 *
 * @param observation of the new state, {@code observationSpace().size()} numbers
 * @param terminated the task ended: the value of what follows is 0
 * @param truncated the episode was cut short (a time limit): what follows still has value
 * @param mask which choices are allowed in the new state, see {@link Environment#actionMask}; null for what that says
 */
public record Step(
        float[] observation, float reward, boolean terminated, boolean truncated, boolean @Nullable [] mask) {

    /** A step without a mask of its own. */
    public Step(float[] observation, float reward, boolean terminated, boolean truncated) {
        this(observation, reward, terminated, truncated, null);
    }

    /** A step after which the episode goes on. */
    public static Step of(float[] observation, double reward) {
        return new Step(observation, (float) reward, false, false);
    }

    /** The last step of a task. */
    public static Step terminated(float[] observation, double reward) {
        return new Step(observation, (float) reward, true, false);
    }

    /** The last step before a time limit. */
    public static Step truncated(float[] observation, double reward) {
        return new Step(observation, (float) reward, false, true);
    }

    /** The same, in whose new state these choices are allowed. The environment's {@link Environment#masksActions} is true. */
    public Step withMask(boolean... allowed) {
        return new Step(observation, reward, terminated, truncated, allowed);
    }
}
