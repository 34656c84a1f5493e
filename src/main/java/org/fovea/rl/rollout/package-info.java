/**
 * Playing: {@link org.fovea.rl.rollout.Collector}s step environments with a policy and fill a {@link org.fovea.rl.rollout.Rollout}.
 */
@NullMarked
package org.fovea.rl.rollout;

import org.jspecify.annotations.NullMarked;
