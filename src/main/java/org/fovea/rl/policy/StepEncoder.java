// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.backend.rl.StepInputs;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.rl.config.NetworkConfig;

/**
 * Encodes steps as network input: the observation; the previous action (each choice one-hot) where that is shown; for
 * networks with memory, a flag that marks an episode's first step; and the number of that step within the episode, where that is
 * shown, as sines and cosines. Where choices can be forbidden it also makes what is added to their logits.
 *
 * <p>Attention compares steps by products, and products of these tell more than distances: cos(w (t + s)), say, finds the step as far
 * before a fixed one as the present step is behind it.
 */
public final class StepEncoder implements AutoCloseable {
    private static final int SHORTEST_PERIOD = 4;
    private static final int LONGEST_PERIOD = 1024;

    /** Sine and cosine of every period, a power of two. */
    public static final int STEP_WIDTH = 2 * (Integer.numberOfTrailingZeros(LONGEST_PERIOD / SHORTEST_PERIOD) + 1);

    private final Backend backend;
    private final StepEncoding steps;
    private final StepEncoding masks;

    StepEncoder(
            Backend backend,
            EnvironmentSpec.Spaces spaces,
            PolicyKind kind,
            NetworkConfig config,
            ActionDistribution distribution,
            ObservationNormalizer normalizer) {
        this.backend = backend;
        DeviceArray table = backend.memory()
                .allocate(backend.memory().floatType(), config.episodeStep() ? LONGEST_PERIOD * STEP_WIDTH : 0);
        if (config.episodeStep()) {
            backend.memory().upload(episodeSteps(), 0, table);
        }
        this.steps = new StepEncoding(uploaded(entries(spaces, kind, config, normalizer)), normalizer.scales(), table);
        int[] choices = distribution.masked() ? distribution.choiceOfOutput() : new int[0];
        int[] ofMasks = new int[choices.length * StepEncoding.ENTRY];
        for (int i = 0; i < choices.length; i++) {
            put(ofMasks, i, StepEncoding.ALLOWED, choices[i], 0, 0);
        }
        this.masks = new StepEncoding(uploaded(ofMasks), normalizer.scales(), table);
    }

    private DeviceArray uploaded(int[] entries) {
        DeviceArray array = backend.memory().allocate(DType.I32, entries.length);
        backend.memory().upload(entries, 0, array);
        return array;
    }

    /** Sines and cosines of each step, {@link #STEP_WIDTH} numbers, up to where they repeat. */
    public static float[] episodeSteps() {
        float[] table = new float[LONGEST_PERIOD * STEP_WIDTH];
        int at = 0;
        for (int step = 0; step < LONGEST_PERIOD; step++) {
            for (int period = SHORTEST_PERIOD; period <= LONGEST_PERIOD; period *= 2) {
                double angle = 2 * Math.PI * step / period;
                table[at++] = (float) Math.sin(angle);
                table[at++] = (float) Math.cos(angle);
            }
        }
        return table;
    }

    private static int[] choices(EnvironmentSpec.Spaces spaces) {
        return Schema.of(spaces.actions()).choices();
    }

    private static int actionWidth(EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig config) {
        int[] choices = choices(spaces);
        int width = choices.length > 0
                ? Arrays.stream(choices).sum()
                : spaces.actions().size();
        return config.previousAction().isShown(kind.remembers()) ? width : 0;
    }

    /** Numbers of an encoded step. */
    public static int size(EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig config) {
        return spaces.observations().size()
                + actionWidth(spaces, kind, config)
                + (kind.remembers() ? 1 : 0)
                + (config.episodeStep() ? STEP_WIDTH : 0);
    }

    /** Which of a step's numbers marks the first step of an episode, for networks with memory. */
    static int start(int size, NetworkConfig config) {
        return size - 1 - (config.episodeStep() ? STEP_WIDTH : 0);
    }

    private static int[] entries(
            EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig config, ObservationNormalizer normalizer) {
        int[] entries = new int[size(spaces, kind, config) * StepEncoding.ENTRY];
        int at = spaces.observations().size();
        System.arraycopy(normalizer.entries(), 0, entries, 0, at * StepEncoding.ENTRY);
        int[] choices = choices(spaces);
        if (actionWidth(spaces, kind, config) > 0) {
            for (int part = 0; part < choices.length; part++) {
                for (int choice = 0; choice < choices[part]; choice++) {
                    put(entries, at++, StepEncoding.CHOSEN, part, choice, 0);
                }
            }
            for (int i = 0; choices.length == 0 && i < spaces.actions().size(); i++) {
                put(entries, at++, StepEncoding.ACTED, i, 0, 0);
            }
        }
        if (kind.remembers()) {
            put(entries, at++, StepEncoding.START, 0, 0, 0);
        }
        for (int i = 0; config.episodeStep() && i < STEP_WIDTH; i++) {
            put(entries, at++, StepEncoding.PERIODIC, i, STEP_WIDTH, 0);
        }
        return entries;
    }

    /** Writes entry {@code index} of a {@link StepEncoding}. */
    static void put(int[] entries, int index, int kind, int a, int b, int c) {
        int at = index * StepEncoding.ENTRY;
        entries[at] = kind;
        entries[at + 1] = a;
        entries[at + 2] = b;
        entries[at + 3] = c;
    }

    /** Numbers of an encoded step. */
    public int size() {
        return steps.size();
    }

    /** Writes {@code encoded}, [rows, size()]. */
    void encode(StepInputs inputs, DeviceArray encoded) {
        backend.rl().encode(steps, inputs, encoded);
    }

    /** Writes what is added to the policy's outputs, of the same shape; {@code masks} is empty where nothing is forbidden. */
    void encodeMasks(StepInputs inputs, DeviceArray added) {
        if (masks.size() > 0) {
            backend.rl().encode(masks, inputs, added);
        }
    }

    @Override
    public void close() {
        steps.elements().release();
        steps.table().release();
        masks.elements().release();
    }
}
