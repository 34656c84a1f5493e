// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.awt.geom.Rectangle2D;
import java.util.List;
import org.fovea.env.Action;
import org.fovea.env.EnvironmentSpec;
import org.jspecify.annotations.Nullable;

/**
 * An episode that was played to be looked at.
 *
 * @param seed of the episode, as {@code EvaluationSettings} has it with one episode
 * @param sampled whether actions were drawn from the policy; else the most likely ones were taken
 * @param spaces of the environment
 * @param steps in order
 * @param last what was to be seen after the last step
 * @param end how it ended
 * @param attention of the policy's layers; empty for one without attention
 * @param drawingFailure why nothing is drawn though the environment can be; empty if nothing failed
 */
public record Episode(
        long seed,
        boolean sampled,
        EnvironmentSpec.Spaces spaces,
        List<Step> steps,
        View last,
        End end,
        List<AttentionMap> attention,
        String drawingFailure) {

    /** How an episode ended. */
    public enum End {
        /** By itself. */
        TERMINATED,
        /** By the environment's limit of time. */
        TRUNCATED,
        /** It would have gone on. */
        CUT
    }

    /**
     * A step: what was seen, and what came of it.
     *
     * @param view of the environment before the action
     * @param observation that was acted on
     * @param action as the environment was given it, choices from 0
     * @param reward as it is reported
     * @param value that the critic expected from there on, in the units in which it learns
     * @param probabilities of all choices, those of the first part of the action first; empty where numbers are given
     * @param means of the numbers, as the policy gives them; empty where choices are made
     * @param deviations of the numbers, likewise
     */
    public record Step(
            View view,
            float[] observation,
            Action action,
            float reward,
            float value,
            float[] probabilities,
            float[] means,
            float[] deviations) {}

    /**
     * An environment as it was to be seen.
     *
     * @param picture PNG; empty if none was wanted or the environment doesn't draw itself
     * @param text empty if the environment has none
     * @param place what the observation was about, in fractions of the picture; see {@link org.fovea.env.Drawable#place}
     * @param entities where each of a set of entities was, likewise; null for those that are not in the picture
     */
    public record View(
            byte[] picture, String text, @Nullable Rectangle2D place, List<Entities> entities) {
        /** Of an environment that can't be looked at. */
        static final View NONE = new View(new byte[0], "", null, List.of());
    }

    /**
     * The places of entities.
     *
     * @param path in the observation
     * @param places one for each that is there
     */
    public record Entities(String path, List<@Nullable Rectangle2D> places) {}

    /** Undiscounted. */
    public double totalReward() {
        return steps.stream().mapToDouble(Step::reward).sum();
    }
}
