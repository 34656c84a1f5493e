// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of the operations that reinforcement learning adds: sampling, advantages, the policy losses with their gradients,
 * Adam.
 *
 * <p>Start with {@link org.fovea.backend.rl.RlOps}. {@link org.fovea.backend.rl.Trajectories} is what advantages are estimated
 * from; {@link org.fovea.backend.rl.PpoBatch} the minibatch that both policy losses read, {@link org.fovea.backend.rl.PpoLoss}
 * their coefficients. Every implementation calls {@link org.fovea.backend.rl.RlChecks} first.
 *
 * <p>{@link org.fovea.backend.rl.StepArrays} is what environments show of a step. {@link org.fovea.backend.rl.EnvironmentOps} are
 * environments that a device plays itself.
 */
@NullMarked
package org.fovea.backend.rl;

import org.jspecify.annotations.NullMarked;
