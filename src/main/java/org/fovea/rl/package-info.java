/**
 * Reinforcement learning: proximal and trust region policy optimisation over batched rollouts, with policies that remember
 * through attention.
 *
 * <p>{@link org.fovea.rl.Trainer} is the loop, {@link org.fovea.rl.Collector} plays, {@link org.fovea.rl.Ppo} or
 * {@link org.fovea.rl.Trpo} learns; each can be read alone.
 */
@NullMarked
package org.fovea.rl;

import org.jspecify.annotations.NullMarked;
