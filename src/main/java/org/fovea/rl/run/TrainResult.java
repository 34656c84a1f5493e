// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.nio.file.Path;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.rollout.EpisodeStatistics;

/**
 * The outcome of a run.
 *
 * @param lastUpdate that this process made
 * @param evaluation of the final policy, greedy, on fixed seeds; of no episodes if the run was interrupted
 * @param sampled of the same episodes with actions drawn as in training
 */
public record TrainResult(
        RunSpec spec,
        String backend,
        Path runDirectory,
        Training training,
        Model model,
        UpdateStatistics lastUpdate,
        EvaluationResult evaluation,
        EvaluationResult sampled) {

    /**
     * What was played, and how fast.
     *
     * @param steps taken up to the last checkpoint, those before a resume included
     * @param seconds spent by this process
     * @param interrupted whether the run was asked to stop before its end
     */
    public record Training(
            long steps, double seconds, Throughput throughput, EpisodeStatistics episodes, boolean interrupted) {}

    /**
     * What was trained.
     *
     * @param parameters number of trained numbers
     * @param flopsPerStep of one forward pass
     * @param maxEntropy of a policy for which every action is as likely; NaN where there is no such policy
     */
    public record Model(long parameters, long flopsPerStep, double maxEntropy) {}
}
