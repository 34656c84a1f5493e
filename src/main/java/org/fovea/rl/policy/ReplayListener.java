// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.fovea.nn.AttentionListener;

/** Is told of the attention in a network's {@linkplain ActorCritic#replay pass over an episode}, layer by layer. */
public interface ReplayListener {
    /** One that looks at nothing. */
    ReplayListener NONE = new ReplayListener() {};

    /** That of a layer over the steps of the episode: one sequence. */
    default AttentionListener ofSteps(int layer) {
        return AttentionListener.NONE;
    }

    /**
     * That of a layer over the entities of each step: a sequence for each.
     *
     * @param path of the entities in the observation
     */
    default AttentionListener ofEntities(String path, int layer) {
        return AttentionListener.NONE;
    }
}
