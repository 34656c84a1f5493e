// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.util.ArrayList;
import java.util.List;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.jspecify.annotations.Nullable;

/** Puts an episode together, step by step. */
final class EpisodeBuilder {
    private final EnvironmentSpec.Spaces spaces;
    private final Recording.Actions actions;
    private final List<float[]> observations = new ArrayList<>();
    private final List<double[]> acted = new ArrayList<>();
    private final List<boolean @Nullable []> masks = new ArrayList<>();
    private final List<@Nullable Double> rewards = new ArrayList<>();

    EpisodeBuilder(EnvironmentSpec.Spaces spaces) {
        this.spaces = spaces;
        this.actions = new Recording.Actions(spaces);
    }

    boolean isEmpty() {
        return observations.isEmpty();
    }

    /**
     * Adds a step.
     *
     * @return what is wrong with it, or null
     */
    @Nullable
    String add(double[] observation, double[] action, boolean @Nullable [] mask, @Nullable Double reward) {
        int size = spaces.observations().size();
        if (observation.length != size) {
            return "the observation has " + observation.length + " numbers, expected " + size + " ("
                    + spaces.observations() + ")";
        }
        float[] seen = new float[size];
        for (int i = 0; i < size; i++) {
            seen[i] = (float) observation[i];
            if (!Float.isFinite(seen[i])) {
                return "the observation's number "
                        + Schema.of(spaces.observations()).element(i) + " is " + observation[i]
                        + ", expected a finite one";
            }
        }
        if (action.length != actions.size) {
            return "the action has " + action.length + (action.length == 1 ? " number" : " numbers") + ", expected "
                    + actions.size + " (" + spaces.actions() + ")";
        }
        for (int part = 0; part < action.length; part++) {
            String problem = actions.problem(part, action[part]);
            if (problem != null) {
                return problem;
            }
        }
        if (mask != null) {
            if (!spaces.masked()) {
                return "there is a mask, but in this environment every choice is always allowed; leave masks out";
            }
            if (mask.length != actions.choices) {
                return "the mask has " + mask.length + " elements, expected " + actions.choices;
            }
        }
        if (reward != null && !Float.isFinite(reward.floatValue())) {
            return "the reward is " + reward + ", expected a finite number";
        }
        observations.add(seen);
        acted.add(action);
        masks.add(mask);
        rewards.add(reward);
        return mask == null || !actions.areChoices() ? null : actions.forbidden(mask, 0, choices(action), 0);
    }

    private int[] choices(double[] action) {
        int[] choices = new int[action.length];
        for (int part = 0; part < choices.length; part++) {
            choices[part] = actions.choice(part, action[part]);
        }
        return choices;
    }

    /** The episode; masks and rewards are taken only if every step has them. */
    Recording.Episode build() {
        int steps = observations.size();
        int size = spaces.observations().size();
        float[] seen = new float[steps * size];
        int[] choices = new int[actions.areChoices() ? steps * actions.size : 0];
        float[] numbers = new float[actions.areChoices() ? 0 : steps * actions.size];
        boolean[] allowed = masks.stream().allMatch(mask -> mask != null) && actions.areChoices()
                ? new boolean[steps * actions.choices]
                : null;
        float[] gained = rewards.stream().allMatch(reward -> reward != null) ? new float[steps] : null;
        for (int step = 0; step < steps; step++) {
            System.arraycopy(observations.get(step), 0, seen, step * size, size);
            double[] action = acted.get(step);
            for (int part = 0; part < actions.size; part++) {
                if (actions.areChoices()) {
                    choices[step * actions.size + part] = actions.choice(part, action[part]);
                } else {
                    numbers[step * actions.size + part] = (float) action[part];
                }
            }
            boolean[] mask = masks.get(step);
            if (allowed != null && mask != null) {
                System.arraycopy(mask, 0, allowed, step * actions.choices, actions.choices);
            }
            Double reward = rewards.get(step);
            if (gained != null && reward != null) {
                gained[step] = reward.floatValue();
            }
        }
        return new Recording.Episode(seen, choices, numbers, allowed, gained);
    }
}
