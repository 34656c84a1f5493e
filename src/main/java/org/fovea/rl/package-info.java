// SPDX-License-Identifier: Apache-2.0
/**
 * Reinforcement learning: proximal and trust region policy optimisation over batched rollouts, with policies that remember
 * through attention.
 *
 * <p>Start with {@link org.fovea.rl.run.Trainer}: an iteration is a rollout that {@link org.fovea.rl.rollout.Collector}
 * plays and a {@link org.fovea.rl.learner.Learner} learns from, under the settings of a {@link org.fovea.rl.run.RunSpec}. The
 * rooms, each of which uses those before it:
 *
 * <ul>
 *   <li>{@code config}: groups of hyper-parameters that every algorithm has;
 *   <li>{@code policy}: networks, distributions of actions, and what else belongs to an agent;
 *   <li>{@code rollout}: playing, and what was played;
 *   <li>{@code learner}: what an algorithm is, and what algorithms share;
 *   <li>{@code ppo}, {@code trpo}: an algorithm each, with its hyper-parameters;
 *   <li>{@code imitation}: learning from recorded episodes;
 *   <li>{@code evaluation}: playing fixed episodes with a policy that stays as it is;
 *   <li>{@code run}: runs from first step to last.
 * </ul>
 *
 * <p>Defaults of hyper-parameters: {@link org.fovea.rl.run.Defaults}. A new algorithm: a room with an {@link
 * org.fovea.rl.learner.AlgorithmConfig}, registered in {@link org.fovea.rl.run.Algorithm}. A new kind of network: an {@link
 * org.fovea.rl.policy.ActorCritic}, registered in {@link org.fovea.rl.policy.PolicyKind}.
 *
 * <p>Not API: what is public here, or in a package below, is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.rl;

import org.jspecify.annotations.NullMarked;
