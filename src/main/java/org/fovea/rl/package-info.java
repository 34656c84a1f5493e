/**
 * Reinforcement learning: proximal policy optimisation over batched rollouts, with policies that remember through
 * attention.
 *
 * <p>{@link org.fovea.rl.Trainer} is the loop, {@link org.fovea.rl.Collector} plays, {@link org.fovea.rl.Ppo} learns; each
 * can be read alone.
 */
@NullMarked
package org.fovea.rl;

import org.jspecify.annotations.NullMarked;
