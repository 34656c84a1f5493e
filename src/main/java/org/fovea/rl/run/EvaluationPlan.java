// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.rl.evaluation.EvaluationSettings;

/**
 * Evaluations while a run is trained: always the same greedy episodes, in environments of their own. They change nothing of
 * what is learned, but for the target, which ends it. A run keeps its plan where it is resumed.
 *
 * @param everySteps after so many steps of the run, and at its end; 0 for none at all
 * @param episodes of each evaluation
 * @param target mean return of an evaluation at which the run ends, NaN for none
 */
public record EvaluationPlan(long everySteps, int episodes, double target) {
    /** No evaluations. */
    public static final EvaluationPlan NONE = new EvaluationPlan(0, 20, Double.NaN);

    /** Neither those that people train with nor those of the evaluation that follows training. */
    private static final long SEED = 2_000_003;

    private static final String EVERY = "evaluations.every";
    private static final String EPISODES = "evaluations.episodes";
    private static final String TARGET = "evaluations.target";

    /** Checks every range. */
    public EvaluationPlan {
        if (everySteps < 0) {
            throw new IllegalArgumentException("eval-every must be at least 1 step, or 0 for none, got " + everySteps);
        }
        if (episodes < 1) {
            throw new IllegalArgumentException("eval-episodes must be at least 1, got " + episodes);
        }
        if (!Double.isNaN(target) && everySteps == 0) {
            throw new IllegalArgumentException(
                    "a target needs evaluations that can reach it: say how often with eval-every");
        }
    }

    /** Whether a run that was at one number of steps and is now at another has one to play. */
    boolean isDue(long before, long now, long end) {
        return everySteps > 0 && (now / everySteps > before / everySteps || now == end);
    }

    /** The episodes of each, without a limit of time: what they score must not depend on the machine. */
    EvaluationSettings settings(int maxSteps) {
        return new EvaluationSettings(episodes, SEED, maxSteps, Double.POSITIVE_INFINITY);
    }

    /** As text by key, for a checkpoint. */
    Map<String, String> save() {
        Map<String, String> saved = new LinkedHashMap<>();
        saved.put(EVERY, Long.toString(everySteps));
        saved.put(EPISODES, Integer.toString(episodes));
        saved.put(TARGET, Double.toString(target));
        return saved;
    }

    /** From what {@link #save} gave; a run of an earlier version has none. */
    static EvaluationPlan restore(Map<String, String> saved) {
        return saved.containsKey(EVERY)
                ? new EvaluationPlan(
                        Long.parseLong(saved.get(EVERY)),
                        Integer.parseInt(saved.getOrDefault(EPISODES, "")),
                        Double.parseDouble(saved.getOrDefault(TARGET, "NaN")))
                : NONE;
    }
}
