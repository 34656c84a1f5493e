// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

/**
 * Statistics of the episodes of training.
 *
 * @param meanReturn of the last 100, NaN before the first has ended
 * @param meanLength of the same, in steps
 * @param maxReturn largest mean return of 100 successive ones, NaN if fewer ended
 * @param longest steps of the longest, whether or not it has ended
 * @param count ended so far
 */
public record EpisodeStatistics(double meanReturn, double meanLength, double maxReturn, int longest, long count) {
    /** Of no episode. */
    public static final EpisodeStatistics NONE = new EpisodeStatistics(Double.NaN, Double.NaN, Double.NaN, 0, 0);
}
