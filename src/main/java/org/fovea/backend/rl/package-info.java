// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of the operations that reinforcement learning adds: sampling, advantages, the policy losses with their gradients,
 * Adam.
 *
 * <p>Start with {@link org.fovea.backend.rl.RlOps}. {@link org.fovea.backend.rl.Trajectories} is what advantages are estimated
 * from; {@link org.fovea.backend.rl.PpoBatch} the minibatch that both policy losses read, {@link org.fovea.backend.rl.PpoLoss}
 * their coefficients; {@link org.fovea.backend.rl.StepArrays} what environments show of a step. Every implementation calls {@link org.fovea.backend.rl.RlChecks} first.
 */
@NullMarked
package org.fovea.backend.rl;

import org.jspecify.annotations.NullMarked;
