// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Arrays;

/**
 * The action of an agent in one step.
 *
 * @param choices the chosen number of each discrete part of the action space, in order ({@link Schema}), else empty
 * @param values the numbers of a continuous action space, else empty; an agent's lie within the bounds of its {@link
 *     Space.Box}
 */
public record Action(int[] choices, float[] values) {
    private static final int[] NO_CHOICES = {};
    private static final float[] NO_VALUES = {};

    /** A choice from a {@link Space.Discrete}. */
    public static Action of(int choice) {
        return new Action(new int[] {choice}, NO_VALUES);
    }

    /** A choice for each part of a {@link Space.MultiDiscrete}, or bits of a {@link Space.MultiBinary}. */
    public static Action ofChoices(int... choices) {
        return new Action(choices, NO_VALUES);
    }

    /** An element of a {@link Space.Box}. */
    public static Action of(float... values) {
        return new Action(NO_CHOICES, values);
    }

    /** The chosen number of a {@link Space.Discrete}; -1 where nothing is chosen. */
    public int choice() {
        return choices.length == 0 ? -1 : choices[0];
    }

    /** The chosen number of part {@code part} of the action space. */
    public int choice(int part) {
        return choices[part];
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Action action
                && Arrays.equals(choices, action.choices)
                && Arrays.equals(values, action.values);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(choices) + Arrays.hashCode(values);
    }

    @Override
    public String toString() {
        return "Action[choices=" + Arrays.toString(choices) + ", values=" + Arrays.toString(values) + "]";
    }
}
