// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/**
 * The action of an agent in one step.
 *
 * @param choice the chosen number of a discrete action space, else -1
 * @param values the numbers of a continuous action space, else empty; an agent's lie within the bounds of its {@link
 *     Space.Box}
 */
public record Action(int choice, float[] values) {
    private static final float[] NONE = {};

    /** A choice from a {@link Space.Discrete}. */
    public static Action of(int choice) {
        return new Action(choice, NONE);
    }

    /** An element of a {@link Space.Box}. */
    public static Action of(float... values) {
        return new Action(-1, values);
    }
}
