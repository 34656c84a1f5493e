// SPDX-License-Identifier: Apache-2.0
/**
 * Playing. {@link org.fovea.rl.rollout.Collector} plays all environments of a run and fills a {@link
 * org.fovea.rl.rollout.Rollout}, the arrays on the device that a learner is given.
 *
 * <p>It has a {@link org.fovea.rl.rollout.SegmentPlayer} for each batch of an {@link org.fovea.rl.rollout.EnvironmentSet}, which all
 * play at once, or in turns where environments are slow ({@link org.fovea.rl.rollout.PlaySettings}). What crosses to the device and
 * back in a step of environments that play in Java, and what stays there:
 *
 * <pre>
 *   host                      device
 *   step environments
 *   check numbers
 *   log episodes
 *   observations, rewards, -----&gt; {@link org.fovea.backend.rl.StepArrays StepArrays}            one upload
 *   ends, allowed choices          |  one captured step ({@link org.fovea.rl.policy.PolicyRunner}):
 *                                  |  advance the {@link org.fovea.backend.rl.StepClock clock}; reward, end into the rollout, at the step before
 *                                  |  normalize and encode: network input
 *                                  |  network, with its memory: outputs, value
 *                                  |  draw action
 *                                  |  input, action, log-probability, value into the rollout, at this step
 *   choices or numbers &lt;---------- actions                one download, one wait
 * </pre>
 *
 * <p>The places in rollout and memory are read from the clock when the step runs, so that one captured step serves all steps of all
 * segments; {@link org.fovea.rl.rollout.Segment} is what puts things there. Where an episode was cut, what the value of its final
 * observation takes is set aside by a second captured step, and a third computes up to 64 such values at a time: when so many are
 * there, or at the end of the segment. Of a whole rollout come down, where they are normalized, observations ({@link
 * org.fovea.rl.policy.ObservationNormalizer}) and returns ({@link org.fovea.rl.rollout.RewardNormalizer}).
 *
 * <p>{@link org.fovea.rl.rollout.RecentEpisodes} keeps score, {@link org.fovea.rl.rollout.StopSignal} ends it early, {@link
 * org.fovea.rl.rollout.RandomStreams} says which random numbers belong to which step.
 */
@NullMarked
package org.fovea.rl.rollout;

import org.jspecify.annotations.NullMarked;
