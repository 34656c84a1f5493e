// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import org.fovea.rl.evaluation.EvaluationSettings;

/**
 * What accompanies training, and what may end it early; none of it changes what is learned until then.
 *
 * @param finalEvaluation that follows it
 * @param evaluations that are played meanwhile
 * @param maxSeconds after which it stops, as if it had been asked to; infinity for no limit
 */
public record TrainingOptions(EvaluationSettings finalEvaluation, EvaluationPlan evaluations, double maxSeconds) {
    /** The usual evaluation, and nothing else. */
    public static final TrainingOptions DEFAULT =
            new TrainingOptions(EvaluationSettings.FINAL, EvaluationPlan.NONE, Double.POSITIVE_INFINITY);

    /** Checks the limit. */
    public TrainingOptions {
        if (!(maxSeconds > 0)) {
            throw new IllegalArgumentException("the time limit must be greater than 0 seconds, got " + maxSeconds);
        }
    }

    /** The same with another evaluation at the end. */
    public TrainingOptions withFinalEvaluation(EvaluationSettings settings) {
        return new TrainingOptions(settings, evaluations, maxSeconds);
    }

    /** The same with other evaluations meanwhile. */
    public TrainingOptions withEvaluations(EvaluationPlan plan) {
        return new TrainingOptions(finalEvaluation, plan, maxSeconds);
    }

    /** The same with another limit of time. */
    public TrainingOptions withMaxSeconds(double seconds) {
        return new TrainingOptions(finalEvaluation, evaluations, seconds);
    }
}
