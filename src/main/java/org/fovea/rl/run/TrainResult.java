// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.nio.file.Path;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.rollout.EpisodeStatistics;

/**
 * The outcome of a run.
 *
 * @param steps taken up to the last checkpoint, those before a resume included
 * @param seconds spent by this process
 * @param evaluation of the final policy, greedy, on fixed seeds; of no episodes if the run was interrupted
 * @param sampled of the same episodes with actions drawn as in training
 * @param lastUpdate that this process made
 * @param maxEntropy of a policy for which every action is as likely; NaN where there is no such policy
 * @param episodes of training
 * @param parameters number of trained numbers
 * @param flopsPerStep of one forward pass
 * @param interrupted whether the run was asked to stop before its end
 */
public record TrainResult(
        RunSpec spec,
        String backend,
        long steps,
        double seconds,
        Throughput throughput,
        EvaluationResult evaluation,
        EvaluationResult sampled,
        UpdateStatistics lastUpdate,
        double maxEntropy,
        EpisodeStatistics episodes,
        long parameters,
        long flopsPerStep,
        Path runDirectory,
        boolean interrupted) {}
