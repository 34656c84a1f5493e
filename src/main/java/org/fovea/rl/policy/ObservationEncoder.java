// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.rl.config.NetworkConfig;

/**
 * Encodes one step as network input: the observation; the previous action (each choice one-hot) where that is shown; for
 * networks with memory, a flag that marks an episode's first step; and the number of that step within the episode, where that is
 * shown, as sines and cosines.
 *
 * <p>Attention compares steps by products, and products of these tell more than distances: cos(w (t + s)), say, finds the step as far
 * before a fixed one as the present step is behind it.
 */
public final class ObservationEncoder {
    private static final int SHORTEST_PERIOD = 4;
    private static final int LONGEST_PERIOD = 1024;

    /** Sine and cosine of every period, a power of two, of each step up to {@link #LONGEST_PERIOD}, from where on they repeat. */
    private static final float[][] EPISODE_STEPS = new float[LONGEST_PERIOD][];

    static {
        int periods = Integer.numberOfTrailingZeros(LONGEST_PERIOD / SHORTEST_PERIOD) + 1;
        for (int step = 0; step < LONGEST_PERIOD; step++) {
            EPISODE_STEPS[step] = new float[2 * periods];
            for (int i = 0; i < periods; i++) {
                double angle = 2 * Math.PI * step / (SHORTEST_PERIOD << i);
                EPISODE_STEPS[step][2 * i] = (float) Math.sin(angle);
                EPISODE_STEPS[step][2 * i + 1] = (float) Math.cos(angle);
            }
        }
    }

    private final int observationSize;
    private final int[] choices;
    private final int actionWidth;
    private final boolean marksStart;
    private final int stepWidth;

    public ObservationEncoder(EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig config) {
        this.observationSize = spaces.observations().size();
        this.choices = Schema.of(spaces.actions()).choices();
        int width = choices.length > 0
                ? Arrays.stream(choices).sum()
                : spaces.actions().size();
        this.actionWidth = config.previousAction().isShown(kind.remembers()) ? width : 0;
        this.marksStart = kind.remembers();
        this.stepWidth = config.episodeStep() ? EPISODE_STEPS[0].length : 0;
    }

    /** Numbers per step. */
    public int size() {
        return observationSize + actionWidth + (marksStart ? 1 : 0) + stepWidth;
    }

    /**
     * @param chosen previous choices, those of {@code index} behind those before, if choices are made
     * @param values previous vectors, likewise, if vectors are given
     * @param episodeStep steps of the episode before this one; in its first there is no previous action
     */
    void encode(
            float[] observations,
            int index,
            ObservationNormalizer normalizer,
            int[] chosen,
            float[] values,
            int episodeStep,
            float[] target,
            int offset) {
        normalizer.normalize(observations, index * observationSize, target, offset);
        int at = offset + observationSize;
        boolean start = episodeStep == 0;
        if (actionWidth > 0) {
            encodeAction(index, chosen, values, start, target, at);
        }
        if (marksStart) {
            target[at + actionWidth] = start ? 1 : 0;
        }
        System.arraycopy(
                EPISODE_STEPS[episodeStep % LONGEST_PERIOD], 0, target, offset + size() - stepWidth, stepWidth);
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
