// SPDX-License-Identifier: Apache-2.0
/**
 * Policies. {@link org.fovea.rl.policy.Agent} owns all of one: parameters, network, distribution of actions, encoding and
 * normalisation of observations.
 *
 * <p>Start with {@link org.fovea.rl.policy.ActorCritic}, the network, in the context of environments that it may remember:
 * heads on a {@link org.fovea.rl.policy.Trunk}, or on one for each. There are three: {@link
 * org.fovea.rl.policy.AttentionTrunk} with its {@link org.fovea.rl.policy.AttentionMemory}, {@link
 * org.fovea.rl.policy.RecurrentTrunk} with its {@link org.fovea.rl.policy.RecurrentMemory}, and {@link
 * org.fovea.rl.policy.FeedForwardTrunk}; {@link org.fovea.rl.policy.PolicyKind} makes them. Each sees a step through
 * {@link org.fovea.rl.policy.StepFeatures}, where entities and pictures have encoders of their own. {@link
 * org.fovea.rl.policy.ActionDistribution} turns a network's outputs into actions and losses. {@link
 * org.fovea.rl.policy.PolicyRunner} acts, on the device: it encodes steps ({@link org.fovea.rl.policy.StepEncoder}, with the
 * moments of {@link org.fovea.rl.policy.ObservationNormalizer}), runs the network for a step, draws actions, hands all of it to a
 * {@link org.fovea.rl.policy.StepRecorder}, and brings actions to the host and within their bounds ({@link
 * org.fovea.rl.policy.ActionBounds}). Learners call network and distribution themselves.
 */
@NullMarked
package org.fovea.rl.policy;

import org.jspecify.annotations.NullMarked;
