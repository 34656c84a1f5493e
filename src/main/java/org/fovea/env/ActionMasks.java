// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Arrays;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Which choices a batch's environments allow now. */
final class ActionMasks {
    private final int[] choices;
    private final int width;
    private final boolean[] allowed;

    /** @param choices {@link Schema#choices} of the action space */
    ActionMasks(int count, int[] choices) {
        this.choices = choices;
        this.width = Arrays.stream(choices).sum();
        this.allowed = new boolean[count * width];
    }

    /**
     * Notes what environment {@code i} allows.
     *
     * @param mask null for everything
     * @param entities those that aren't there are forbidden whatever the mask says
     * @throws EnvironmentException if it has another length, or allows nothing in some part
     */
    void set(int i, boolean @Nullable [] mask, EntityCounts entities, IntFunction<String> where) {
        if (mask == null) {
            Arrays.fill(allowed, i * width, (i + 1) * width, true);
            entities.forbidAbsent(i, allowed);
            return;
        }
        if (mask.length != width) {
            throw new EnvironmentException(where.apply(i) + ": the action mask has " + mask.length
                    + " elements, but the action space has " + width + " choices");
        }
        System.arraycopy(mask, 0, allowed, i * width, width);
        entities.forbidAbsent(i, allowed);
        requireAChoice(choices, allowed, i, where);
    }

    /** Puts back what {@link #of} gave. */
    void restore(int i, boolean[] mask) {
        System.arraycopy(mask, 0, allowed, i * width, width);
    }

    /** @throws EnvironmentException if row {@code i} of masks allows nothing in some part of the action */
    static void requireAChoice(int[] choices, boolean[] allowed, int i, IntFunction<String> where) {
        int at = i * Arrays.stream(choices).sum();
        for (int part = 0; part < choices.length; part++) {
            boolean any = false;
            for (int choice = 0; choice < choices[part]; choice++) {
                any |= allowed[at++];
            }
            if (!any) {
                throw new EnvironmentException(where.apply(i) + ": the action mask allows none of the " + choices[part]
                        + " choices" + (choices.length == 1 ? "" : " of part " + part)
                        + "; end the episode where there is nothing to do, or allow one that does nothing");
            }
        }
    }

    /**
     * Whether row {@code row} of masks allows a row of choices.
     *
     * @param allowed [rows, sum of numbers of choices]; empty if everything is
     * @param choicesOfAction {@link Schema#choices} of the action space
     * @param chosen [rows, choices]
     */
    static boolean allow(boolean[] allowed, int row, int[] choicesOfAction, int[] chosen, int chosenRow) {
        boolean all = true;
        if (allowed.length > 0) {
            int at = row * width(choicesOfAction);
            for (int part = 0; part < choicesOfAction.length; part++) {
                all &= allowed[at + chosen[chosenRow * choicesOfAction.length + part]];
                at += choicesOfAction[part];
            }
        }
        return all;
    }

    private static int width(int[] choicesOfAction) {
        int width = 0;
        for (int n : choicesOfAction) {
            width += n;
        }
        return width;
    }

    /** Writes all masks, [count, width]. */
    void copyTo(boolean[] target) {
        System.arraycopy(allowed, 0, target, 0, allowed.length);
    }

    /** The mask of environment {@code i}. */
    boolean[] of(int i) {
        return Arrays.copyOfRange(allowed, i * width, (i + 1) * width);
    }
}
