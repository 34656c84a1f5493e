/**
 * Reinforcement learning: proximal and trust region policy optimisation over batched rollouts, with policies that remember
 * through attention.
 *
 * <p>{@link org.fovea.rl.run.Trainer} is the loop, {@link org.fovea.rl.rollout.Collector} plays, {@link org.fovea.rl.ppo.Ppo} or
 * {@link org.fovea.rl.trpo.Trpo} learns; each can be read alone.
 *
 * <p>Not API: what is public here, or in a package below, is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.rl;

import org.jspecify.annotations.NullMarked;
