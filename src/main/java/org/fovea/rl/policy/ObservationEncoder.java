// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.rl.config.NetworkConfig;

/**
 * Encodes one step as network input: the observation, the previous action (each choice one-hot) where that is shown, and last, for
 * networks with memory, a flag that marks an episode's first step.
 */
public final class ObservationEncoder {
    private final int observationSize;
    private final int[] choices;
    private final int actionWidth;
    private final boolean marksStart;

    public ObservationEncoder(EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig config) {
        this.observationSize = spaces.observations().size();
        this.choices = Schema.of(spaces.actions()).choices();
        int width = choices.length > 0
                ? Arrays.stream(choices).sum()
                : spaces.actions().size();
        this.actionWidth = config.previousAction().isShown(kind.remembers()) ? width : 0;
        this.marksStart = kind.remembers();
    }

    /** Numbers per step. */
    public int size() {
        return observationSize + actionWidth + (marksStart ? 1 : 0);
    }

    /**
     * @param chosen previous choices, those of {@code index} behind those before, if choices are made
     * @param values previous vectors, likewise, if vectors are given
     * @param start whether this is an episode's first step: then there is no previous action
     */
    void encode(
            float[] observations,
            int index,
            ObservationNormalizer normalizer,
            int[] chosen,
            float[] values,
            boolean start,
            float[] target,
            int offset) {
        normalizer.normalize(observations, index * observationSize, target, offset);
        int at = offset + observationSize;
        if (actionWidth > 0) {
            encodeAction(index, chosen, values, start, target, at);
        }
        if (marksStart) {
            target[at + actionWidth] = start ? 1 : 0;
        }
    }

    private void encodeAction(int index, int[] chosen, float[] values, boolean start, float[] target, int at) {
        Arrays.fill(target, at, at + actionWidth, 0);
        if (!start && choices.length == 0) {
            System.arraycopy(values, index * actionWidth, target, at, actionWidth);
        } else if (!start) {
            int part = at;
            for (int i = 0; i < choices.length; i++) {
                target[part + chosen[index * choices.length + i]] = 1;
                part += choices[i];
            }
        }
    }
}
