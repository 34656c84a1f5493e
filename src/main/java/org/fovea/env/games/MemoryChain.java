// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.List;
import java.util.Map;
import org.fovea.env.Action;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentFamily;
import org.fovea.env.EnvironmentFamily.Parameter;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.jspecify.annotations.Nullable;

/**
 * Remember bits that are shown once, and name the queried one, {@code length} steps later.
 *
 * <p>A clock t runs from 0 to {@code length} = N. Observation: 1 - t / N; the index of the queried bit where t = N - 1, else
 * 0; the bits as -1 and +1 where t = 0, else 0. Reset and the first step both show t = 0, as in the source. Actions 0 and
 * 1 count only in step N + 1, which terminates: reward 1 if the action is the queried bit, else -1.
 *
 * <p>Source: {@code memory_len} (one bit) and {@code memory_size} (several) of bsuite, Osband et al. (2020).
 */
final class MemoryChain extends BatchedEnvironment {
    /** Of attention, where episodes are no longer: what it would see beyond them is time lost. */
    private static final int SHORT_WINDOW = 16;

    static final EnvironmentFamily FAMILY = EnvironmentFamily.of(
            List.of(new Parameter("length", 5, 1, 1_000_000), new Parameter("bits", 1, 1, 30)),
            values -> spec(values[0], values[1]));

    /** Columns of the picture; a longer way is drawn to scale. */
    private static final int LONGEST_PICTURE = 25;

    private final int length;
    private final int bits;
    private final int size;

    /** Bit j of an element is context bit j. */
    private final int[] context = newInts();

    private final int[] query = newInts();

    private static EnvironmentSpec spec(int length, int bits) {
        EnvironmentSpec spec = EnvironmentSpec.ofBatches(
                        "MemoryChain-v0",
                        "Recall a bit after length (default 5) steps; bits (default 1)",
                        count -> new MemoryChain(count, length, bits))
                .withSolvedAt(0.95)
                .withReference("optimum", 1)
                .withReference("best without memory", 0)
                .withTuned("ppo", Map.of("steps", "330000", "rollout_steps", "64"));
        // An episode is one step longer than its chain.
        return length < SHORT_WINDOW ? spec.withTuned("ppo", Map.of("window", "" + SHORT_WINDOW)) : spec;
    }

    MemoryChain(int count, int length, int bits) {
        super(count, new Space.Box(bits + 2, -1, Math.max(1, bits - 1)), new Space.Discrete(2), NO_TIME_LIMIT);
        this.length = length;
        this.bits = bits;
        this.size = bits + 2;
    }

    /** Of the kernel. */
    private record Constants(int length, int bits) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("memory_chain", new Constants(length, bits));
    }

    @Override
    protected void begin(int i, float[] observations) {
        context[i] = below(i, 1 << bits);
        query[i] = below(i, bits);
        observe(i, 0, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        float[] observations = result.observations();
        float[] rewards = result.rewards();
        boolean[] terminated = result.terminated();
        for (int i = 0; i < context.length; i++) {
            boolean last = elapsed[i] == length;
            boolean right = choices[i] == ((context[i] >> query[i]) & 1);
            rewards[i] = last ? (right ? 1 : -1) : 0;
            terminated[i] = last;
            observe(i, elapsed[i], observations);
        }
    }

    private void observe(int i, int time, float[] observations) {
        int row = i * size;
        observations[row] = (float) (1 - time / (double) length);
        observations[row + 1] = time == length - 1 ? query[i] : 0;
        for (int bit = 0; bit < bits; bit++) {
            observations[row + 2 + bit] = time == 0 ? 2 * ((context[i] >> bit) & 1) - 1 : 0;
        }
    }

    @Override
    public Drawable drawable(int i) {
        int columns = Math.min(length + 1, LONGEST_PICTURE);
        return new Board(1, columns) {
            private int column() {
                return Math.min(elapsed[i], length) * (columns - 1) / length;
            }

            @Override
            Color colour(int row, int column) {
                return column == column() ? AGENT : column == columns - 1 ? MARK : EMPTY;
            }

            @Override
            String label(int row, int column) {
                return column == column() ? "@" : column == columns - 1 ? "?" : "";
            }

            @Override
            String caption() {
                StringBuilder bitsOfContext = new StringBuilder();
                for (int bit = 0; bit < bits; bit++) {
                    bitsOfContext.append((context[i] >> bit) & 1);
                }
                return (elapsed[i] <= 1 ? "the agent sees " : "the agent saw ") + bitsOfContext + ", bit " + query[i]
                        + " will be asked";
            }

            @Override
            public Rectangle2D place(@Nullable Action last) {
                return field(0, column());
            }
        };
    }
}
