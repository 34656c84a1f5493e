package org.fovea.rl.run;

import org.fovea.rl.evaluation.Evaluation;

/**
 * The state of a run after an iteration, for those who watch it.
 *
 * @param steps taken so far, by all environments together
 * @param totalSteps of the whole run
 * @param stepsPerSecond of this process, training included
 * @param meanReturn of the last 100 episodes, NaN before the first has ended
 * @param meanLength of the same, in steps
 * @param episodes ended so far
 */
public record Progress(
        long iteration,
        long steps,
        long totalSteps,
        double stepsPerSecond,
        double meanReturn,
        double meanLength,
        long episodes) {

    /** Told after each iteration. */
    @FunctionalInterface
    public interface Listener extends Evaluation.Listener {
        /** A listener that does nothing. */
        Listener NONE = progress -> {};

        /** Called on the thread that trains. */
        void progressed(Progress progress);

        /**
         * Called on any of the threads that play, again and again while a rollout is played.
         *
         * @param steps of the run so far
         */
        default void playing(long steps) {}
    }
}
