// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

/**
 * What came of learning from recorded episodes.
 *
 * @param epochs gone through
 * @param best the epoch whose parameters were kept, from 1
 * @param learned how well the policy does what was done, in the episodes that it learned from, at that epoch
 * @param heldOut the same in those that it did not; as {@code learned} if none were held out
 * @param learnedEpisodes episodes that it learned from
 * @param heldOutEpisodes and the rest
 */
public record ImitationResult(
        int epochs, int best, Fit learned, Fit heldOut, int learnedEpisodes, int heldOutEpisodes) {

    /**
     * How well a policy does what was done.
     *
     * @param loss mean negative log-probability of the choices of a step, in nats; of numbers half the mean squared distance, in units of half
     *     the range between their bounds
     * @param accuracy share of steps in which the most likely action is what was done, all parts of it; NaN where actions are numbers
     */
    public record Fit(double loss, double accuracy) {}

    /** Told after each epoch. */
    public interface Listener {
        void learned(int epoch, Fit learned, Fit heldOut);
    }
}
