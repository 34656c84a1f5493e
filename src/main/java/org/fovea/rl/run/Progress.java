// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import org.fovea.rl.evaluation.Evaluation;
import org.fovea.rl.rollout.EpisodeStatistics;

/**
 * The state of a run after an iteration, for those who watch it.
 *
 * @param steps taken so far, by all environments together
 * @param totalSteps of the whole run
 * @param throughput of this process
 * @param evaluated mean return of the last evaluation of this process, NaN before the first
 */
public record Progress(
        long iteration,
        long steps,
        long totalSteps,
        Throughput throughput,
        EpisodeStatistics episodes,
        double evaluated) {

    /** Of this process, training included, evaluations not. */
    public double stepsPerSecond() {
        return throughput.train();
    }

    /** Told after each iteration. */
    @FunctionalInterface
    public interface Listener extends Evaluation.Listener {
        /** A listener that does nothing. */
        Listener NONE = progress -> {};

        /** Called on the thread that trains. */
        void progressed(Progress progress);

        /** Called when no more is trained, before the evaluation that follows. */
        default void trained() {}

        /**
         * Called on any of the threads that play, again and again while a rollout is played.
         *
         * @param steps of the run so far
         */
        default void playing(long steps) {}
    }
}
