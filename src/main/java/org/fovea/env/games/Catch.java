// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
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
 * Catch a falling ball with a paddle that moves left (0), stays (1) or moves right (2).
 *
 * <p>The ball starts in a uniformly drawn column of the top row and falls one row a step; the paddle starts in the middle of the
 * bottom row. When the ball is in the bottom row the episode terminates: reward 1 if the paddle is there, else -1. That is after
 * {@code rows} - 1 steps. Observation: an image of one channel, [1, rows, columns], with 255 for ball and paddle.
 *
 * <p>Source: {@code catch} of bsuite, Osband et al. (2020), with 10 rows and 5 columns, whose observation has 1 in place of 255.
 */
final class Catch extends BatchedEnvironment {
    static final EnvironmentFamily FAMILY = EnvironmentFamily.of(
            List.of(new Parameter("rows", 10, 2, 1000), new Parameter("columns", 5, 1, 1000)),
            values -> spec(values[0], values[1]));

    private static final float LIT = 255;

    private final int rows;
    private final int columns;
    private final int[] ball = newInts();
    private final int[] paddle = newInts();

    private static EnvironmentSpec spec(int rows, int columns) {
        EnvironmentSpec spec = EnvironmentSpec.ofBatches(
                "Catch-v0",
                "Catch a falling ball, seen as a picture; rows (default 10), columns (default 5)",
                count -> new Catch(count, rows, columns));
        boolean reachable = columns / 2 <= rows - 1;
        return reachable ? spec.withSolvedAt(0.95).withReference("optimum", 1) : spec;
    }

    Catch(int count, int rows, int columns) {
        super(count, new Space.Image(1, rows, columns), new Space.Discrete(3), NO_TIME_LIMIT);
        this.rows = rows;
        this.columns = columns;
    }

    /** Of the kernel. */
    private record Constants(int rows, int columns, float lit) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("catch", new Constants(rows, columns, LIT));
    }

    @Override
    protected void begin(int i, float[] observations) {
        ball[i] = below(i, columns);
        paddle[i] = columns / 2;
        observe(i, 0, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < ball.length; i++) {
            paddle[i] = Math.max(0, Math.min(columns - 1, paddle[i] + choices[i] - 1));
            int row = elapsed[i] + 1;
            boolean down = row == rows - 1;
            result.rewards()[i] = down ? (paddle[i] == ball[i] ? 1 : -1) : 0;
            result.terminated()[i] = down;
            observe(i, row, result.observations());
        }
    }

    private void observe(int i, int ballRow, float[] observations) {
        int at = i * rows * columns;
        Arrays.fill(observations, at, at + rows * columns, 0);
        observations[at + ballRow * columns + ball[i]] = LIT;
        observations[at + (rows - 1) * columns + paddle[i]] = LIT;
    }

    @Override
    public Drawable drawable(int i) {
        return new Board(rows, columns) {
            private boolean isBall(int row, int column) {
                return row == Math.min(elapsed[i], rows - 1) && column == ball[i];
            }

            private boolean isPaddle(int row, int column) {
                return row == rows - 1 && column == paddle[i];
            }

            @Override
            Color colour(int row, int column) {
                return isBall(row, column) ? MARK : isPaddle(row, column) ? AGENT : EMPTY;
            }

            @Override
            String label(int row, int column) {
                return isBall(row, column) ? "o" : isPaddle(row, column) ? "@" : "";
            }

            @Override
            String caption() {
                return "the ball falls from row " + elapsed[i] + " to row " + (rows - 1);
            }

            @Override
            public Rectangle2D place(@Nullable Action last) {
                return field(Math.min(elapsed[i], rows - 1), ball[i]);
            }
        };
    }
}
