// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.rollout.EpisodeStatistics;

/**
 * The outcome of a run.
 *
 * @param changes made when it was resumed
 * @param best evaluation during training
 * @param lastUpdate that this process made
 * @param evaluation of the final policy, greedy, on fixed seeds; of no episodes if the run was interrupted
 * @param sampled of the same episodes with actions drawn as in training
 */
public record TrainResult(
        RunSpec spec,
        List<SettingChange> changes,
        String backend,
        Path runDirectory,
        Training training,
        Model model,
        Best best,
        UpdateStatistics lastUpdate,
        EvaluationResult evaluation,
        EvaluationResult sampled) {

    /**
     * What was played, and how fast.
     *
     * @param steps taken up to the last checkpoint, those before a resume included
     * @param seconds spent by this process
     * @param end why there are not more
     */
    public record Training(long steps, double seconds, Throughput throughput, EpisodeStatistics episodes, End end) {}

    /** How training ended. */
    public enum End {
        /** All steps were taken. */
        COMPLETE,
        /** An evaluation reached the target. */
        TARGET,
        /** Time was up; the run can go on. */
        TIME_LIMIT,
        /** It was asked to stop; the run can go on. */
        INTERRUPTED;

        /** Whether there was more to do. */
        public boolean isEarly() {
            return this == TIME_LIMIT || this == INTERRUPTED;
        }
    }

    /**
     * The best of a run's evaluations during training, whose policy is kept.
     *
     * @param steps that had been taken, 0 if there was none
     * @param meanReturn NaN if there was none
     */
    public record Best(long steps, double meanReturn) {
        /** Of no evaluation. */
        public static final Best NONE = new Best(0, Double.NaN);

        private static final String STEPS = "best.steps";
        private static final String MEAN_RETURN = "best.return_mean";

        Map<String, String> save() {
            return Map.of(STEPS, Long.toString(steps), MEAN_RETURN, Double.toString(meanReturn));
        }

        static Best restore(Map<String, String> saved) {
            return new Best(
                    Long.parseLong(saved.getOrDefault(STEPS, "0")),
                    Double.parseDouble(saved.getOrDefault(MEAN_RETURN, "NaN")));
        }
    }

    /**
     * What was trained.
     *
     * @param parameters number of trained numbers
     * @param flopsPerStep of one forward pass
     * @param maxEntropy of a policy for which every action is as likely; NaN where there is no such policy
     */
    public record Model(long parameters, long flopsPerStep, double maxEntropy) {}
}
