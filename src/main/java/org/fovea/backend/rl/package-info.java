/**
 * The contract of what reinforcement learning adds: sampling, advantages, the policy losses with their gradients, Adam. Start
 * with {@link org.fovea.backend.rl.RlOps}.
 */
@NullMarked
package org.fovea.backend.rl;

import org.jspecify.annotations.NullMarked;
