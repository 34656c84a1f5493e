// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/**
 * The outcome of one step.
 *
 * @param observation of the new state, {@code observationSpace().size()} numbers
 * @param terminated the task ended: the value of what follows is 0
 * @param truncated the episode was cut short (a time limit): what follows still has value
 */
public record Step(float[] observation, float reward, boolean terminated, boolean truncated) {

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
}
