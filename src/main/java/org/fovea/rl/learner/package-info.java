// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of an algorithm, and the parts that algorithms share. An {@link org.fovea.rl.learner.AlgorithmConfig} holds the
 * hyper-parameters of one and makes the {@link org.fovea.rl.learner.Learner}, which updates a policy from each rollout and
 * returns {@link org.fovea.rl.learner.UpdateStatistics}.
 *
 * <p>Learners cut a rollout into minibatches by a {@link org.fovea.rl.learner.MinibatchOrder} and each of these into {@link
 * org.fovea.rl.learner.Shards}, whose gradients are added in a fixed order. Read {@code ppo} next to see it done.
 */
@NullMarked
package org.fovea.rl.learner;

import org.jspecify.annotations.NullMarked;
