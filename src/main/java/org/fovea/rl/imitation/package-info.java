// SPDX-License-Identifier: Apache-2.0
/**
 * Learning from recorded episodes: behaviour cloning (Pomerleau 1991, doi:10.1162/neco.1991.3.1.88), the policy's actions becoming as likely as
 * they were taken.
 *
 * <p>Start with {@link org.fovea.rl.imitation.Imitation}. {@link org.fovea.rl.imitation.Recording} is what was recorded, {@link
 * org.fovea.rl.imitation.Recordings} reads it from a file. {@link org.fovea.rl.imitation.Replay} lets an agent follow the episodes as if it played
 * them, segment by segment, so that every kind of policy has the memory it would have had; what it passed then goes through the same
 * pass as in reinforcement learning, with another loss.
 */
@NullMarked
package org.fovea.rl.imitation;

import org.jspecify.annotations.NullMarked;
