// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;

/**
 * Encodes one step as network input: the observation, and for networks with memory also the previous action
 * (one-hot for choices) and a flag that marks an episode's first step.
 */
public final class ObservationEncoder {
    private final int observationSize;
    private final Space actions;
    private final boolean withHistory;

    public ObservationEncoder(EnvironmentSpec.Spaces spaces, PolicyKind kind) {
        this.observationSize = spaces.observations().size();
        this.actions = spaces.actions();
        this.withHistory = kind.remembers();
    }

    /** Numbers per step. */
    public int size() {
        return withHistory ? observationSize + actions.size() + 1 : observationSize;
    }

    /**
     * @param choice previous action, if choices are made
     * @param values previous actions at {@code index * actions.size()}, if vectors are given
     * @param start whether this is an episode's first step: then there is no previous action
     */
    void encode(
            float[] observations,
            int index,
            ObservationNormalizer normalizer,
            int choice,
            float[] values,
            boolean start,
            float[] target,
            int offset) {
        normalizer.normalize(observations, index * observationSize, target, offset);
        if (!withHistory) {
            return;
        }
        int at = offset + observationSize;
        int width = actions.size();
        for (int i = 0; i < width; i++) {
            target[at + i] = 0;
        }
        if (!start) {
            if (actions instanceof Space.Discrete) {
                target[at + choice] = 1;
            } else {
                System.arraycopy(values, index * width, target, at, width);
            }
        }
        target[at + width] = start ? 1 : 0;
    }
}
