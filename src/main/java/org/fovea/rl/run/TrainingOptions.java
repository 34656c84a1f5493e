// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.Map;
import org.fovea.rl.evaluation.EvaluationSettings;

/**
 * What accompanies training, and what may end it early; none of it changes what is learned until then.
 *
 * @param finalEvaluation that follows it
 * @param evaluations that are played meanwhile
 * @param lastStep of the run, at which it stops as if it had been asked to if it has to take more
 * @param maxSeconds after which it stops, as if it had been asked to; infinity for no limit
 * @param backendSettings that its {@link ConfigFile} names, since results depend on them
 */
public record TrainingOptions(
        EvaluationSettings finalEvaluation,
        EvaluationPlan evaluations,
        long lastStep,
        double maxSeconds,
        Map<String, String> backendSettings) {
    /** The usual evaluation, and nothing else. */
    public static final TrainingOptions DEFAULT =
            new TrainingOptions(EvaluationSettings.FINAL, EvaluationPlan.NONE, Double.POSITIVE_INFINITY, Map.of());

    /** Of a run that takes all its steps. */
    public TrainingOptions(
            EvaluationSettings finalEvaluation,
            EvaluationPlan evaluations,
            double maxSeconds,
            Map<String, String> backendSettings) {
        this(finalEvaluation, evaluations, Long.MAX_VALUE, maxSeconds, backendSettings);
    }

    /** Checks the limit. */
    public TrainingOptions {
        backendSettings = Map.copyOf(backendSettings);
        if (!(maxSeconds > 0)) {
            throw new IllegalArgumentException("the time limit must be greater than 0 seconds, got " + maxSeconds);
        }
    }

    /** The same with another evaluation at the end. */
    public TrainingOptions withFinalEvaluation(EvaluationSettings settings) {
        return new TrainingOptions(settings, evaluations, lastStep, maxSeconds, backendSettings);
    }

    /** The same with other evaluations meanwhile. */
    public TrainingOptions withEvaluations(EvaluationPlan plan) {
        return new TrainingOptions(finalEvaluation, plan, lastStep, maxSeconds, backendSettings);
    }

    /** The same with another limit of time. */
    public TrainingOptions withMaxSeconds(double seconds) {
        return new TrainingOptions(finalEvaluation, evaluations, lastStep, seconds, backendSettings);
    }

    /** The same, but that it stops at a step if it has to take more. */
    public TrainingOptions withLastStep(long step) {
        return new TrainingOptions(finalEvaluation, evaluations, step, maxSeconds, backendSettings);
    }
}
