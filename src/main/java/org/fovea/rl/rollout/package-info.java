// SPDX-License-Identifier: Apache-2.0
/**
 * Playing. {@link org.fovea.rl.rollout.Collector} plays all environments of a run and fills a {@link
 * org.fovea.rl.rollout.Rollout}, the arrays on the device that a learner is given.
 *
 * <p>It has a {@link org.fovea.rl.rollout.SegmentPlayer} for each batch of an {@link org.fovea.rl.rollout.EnvironmentSet}, which all
 * play at once, or in turns where environments are slow ({@link org.fovea.rl.rollout.PlaySettings}): each asks a
 * {@link org.fovea.rl.policy.PolicyRunner} for actions, steps its environments, records the outcome in a {@link
 * org.fovea.rl.rollout.Segment} on the host and uploads that. {@link org.fovea.rl.rollout.RewardNormalizer} scales rewards,
 * {@link org.fovea.rl.rollout.RecentEpisodes} keeps score, {@link org.fovea.rl.rollout.StopSignal} ends it early, {@link
 * org.fovea.rl.rollout.RandomStreams} says which random numbers belong to which step.
 */
@NullMarked
package org.fovea.rl.rollout;

import org.jspecify.annotations.NullMarked;
