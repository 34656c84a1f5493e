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

    /** Writes all masks, [count, width]. */
    void copyTo(boolean[] target) {
        System.arraycopy(allowed, 0, target, 0, allowed.length);
    }

    /** The mask of environment {@code i}. */
    boolean[] of(int i) {
        return Arrays.copyOfRange(allowed, i * width, (i + 1) * width);
    }
}
