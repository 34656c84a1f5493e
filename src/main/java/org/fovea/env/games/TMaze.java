// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.List;
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
 * See which way is right, be moved along a corridor of {@code length} = L steps, and turn that way.
 *
 * <p>Observation: the cue, 1 for up and -1 for down in the first step, then 0; and whether the agent is at the junction, 1 or
 * 0. Actions 0 (up) and 1 (down) count only at the junction, in step L + 1, which terminates: reward 1 if that is the way, else
 * 0.
 *
 * <p>Source: the passive T-maze of Ni et al. (2023), "When do transformers shine in RL?".
 */
final class TMaze extends BatchedEnvironment {
    static final EnvironmentFamily FAMILY =
            EnvironmentFamily.of(List.of(new Parameter("length", 10, 1, 1_000_000)), values -> spec(values[0]));

    /** Columns of the picture; a longer way is drawn to scale. */
    private static final int LONGEST_PICTURE = 25;

    private final int length;

    /** 0 for up, 1 for down. */
    private final int[] way = newInts();

    private static EnvironmentSpec spec(int length) {
        return EnvironmentSpec.ofBatches(
                        "TMaze-v0",
                        "See the way, turn after length (default 10) steps",
                        count -> new TMaze(count, length))
                .withSolvedAt(0.95)
                .withReference("optimum", 1)
                .withReference("best without memory", 0.5);
    }

    TMaze(int count, int length) {
        super(count, new Space.Box(new float[] {-1, 0}, new float[] {1, 1}), new Space.Discrete(2), NO_TIME_LIMIT);
        this.length = length;
    }

    /** Of the kernel. */
    private record Constants(int length) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("t_maze", new Constants(length));
    }

    @Override
    protected void begin(int i, float[] observations) {
        way[i] = below(i, 2);
        observations[2 * i] = way[i] == 0 ? 1 : -1;
        observations[2 * i + 1] = 0;
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < way.length; i++) {
            boolean atJunction = elapsed[i] == length;
            result.rewards()[i] = atJunction && choices[i] == way[i] ? 1 : 0;
            result.terminated()[i] = atJunction;
            result.observations()[2 * i] = 0;
            result.observations()[2 * i + 1] = elapsed[i] + 1 >= length ? 1 : 0;
        }
    }

    @Override
    public Drawable drawable(int i) {
        int columns = Math.min(length + 1, LONGEST_PICTURE);
        return new Board(3, columns) {
            private int column() {
                return Math.min(elapsed[i], length) * (columns - 1) / length;
            }

            @Override
            Color colour(int row, int column) {
                if (row == 1) {
                    return column == column() ? AGENT : EMPTY;
                }
                boolean right = (row == 0) == (way[i] == 0);
                return column < columns - 1 ? Color.WHITE : right ? GOOD : BAD;
            }

            @Override
            String label(int row, int column) {
                if (row == 1) {
                    return column == column() ? "@" : "";
                }
                return column < columns - 1 ? " " : (row == 0) == (way[i] == 0) ? "+" : "-";
            }

            @Override
            String caption() {
                return elapsed[i] == 0
                        ? "the agent sees the way: " + (way[i] == 0 ? "up" : "down")
                        : elapsed[i] >= length ? "at the junction" : "step " + elapsed[i] + " of " + length;
            }

            @Override
            public Rectangle2D place(@Nullable Action last) {
                return field(1, column());
            }
        };
    }
}
