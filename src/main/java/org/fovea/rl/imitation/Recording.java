// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.util.Arrays;
import java.util.List;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.jspecify.annotations.Nullable;

/**
 * Episodes of somebody who acted in an environment.
 *
 * @param spaces of the environment
 * @param episodes each of at least one step
 */
public record Recording(EnvironmentSpec.Spaces spaces, List<Episode> episodes) {

    /**
     * An episode.
     *
     * @param observations [steps, size], each what was seen before the action
     * @param choices [steps, parts of an action], counted from 0; empty where actions are numbers
     * @param numbers [steps, size of an action], within the bounds of the space; empty where choices are made
     * @param masks [steps, choices], what was allowed; null for everything
     * @param rewards [steps]; null if they were not recorded
     */
    public record Episode(
            float[] observations,
            int[] choices,
            float[] numbers,
            boolean @Nullable [] masks,
            float @Nullable [] rewards) {}

    /** Steps of an episode. */
    public int steps(Episode episode) {
        return episode.observations.length / spaces.observations().size();
    }

    /** Steps of all episodes. */
    public long steps() {
        return episodes.stream().mapToLong(this::steps).sum();
    }

    /** Whether all of them have rewards. */
    public boolean hasRewards() {
        return episodes.stream().allMatch(episode -> episode.rewards != null);
    }

    /** The same of some of the episodes. */
    Recording of(List<Episode> some) {
        return new Recording(spaces, some);
    }

    /** What an action of this space is checked and brought to the policy's terms by. */
    static final class Actions {
        private final EnvironmentSpec.Spaces spaces;
        final int[] sizes;
        private final int[] starts;
        final int size;
        final int choices;

        Actions(EnvironmentSpec.Spaces spaces) {
            this.spaces = spaces;
            Schema schema = Schema.of(spaces.actions());
            this.sizes = schema.choices();
            this.starts = schema.starts();
            this.size = sizes.length > 0 ? sizes.length : spaces.actions().size();
            this.choices = Arrays.stream(sizes).sum();
        }

        boolean areChoices() {
            return sizes.length > 0;
        }

        /** What is wrong with a number of an action, or null. */
        @Nullable
        String problem(int part, double number) {
            if (!areChoices()) {
                return Float.isFinite((float) number)
                        ? null
                        : "the action's number " + part + " is " + number + ", expected a finite one";
            }
            double choice = number - starts[part];
            if (choice != Math.rint(choice) || choice < 0 || choice >= sizes[part]) {
                return "the action" + (sizes.length == 1 ? "" : "'s part " + part) + " is " + text(number)
                        + ", expected a whole number from " + starts[part] + " to " + (starts[part] + sizes[part] - 1)
                        + " (" + spaces.actions() + ")";
            }
            return null;
        }

        private static String text(double number) {
            return number == Math.rint(number) && Math.abs(number) < 1e15
                    ? Long.toString((long) number)
                    : Double.toString(number);
        }

        int choice(int part, double number) {
            return (int) number - starts[part];
        }

        /** What is wrong with a row of masks in which a row of choices was made, or null. */
        @Nullable
        String forbidden(boolean[] masks, int from, int[] chosen, int row) {
            int at = from;
            for (int part = 0; part < sizes.length; part++) {
                int choice = chosen[row * sizes.length + part];
                if (!masks[at + choice]) {
                    return "the mask forbids the choice that was made, " + (choice + starts[part])
                            + (sizes.length == 1 ? "" : " of part " + part);
                }
                at += sizes[part];
            }
            return null;
        }
    }
}
