// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import org.fovea.env.Action;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.jspecify.annotations.Nullable;

/**
 * Click all fields of a board that hide no mine, told how many mines are around the last one.
 *
 * <p>The action is row and column. With L fields without mine, a new one earns 1 / L, one that was clicked before loses 0.5 / (L
 * - 2), a mine loses 0.5 + 1 / L and terminates, as does the last field without mine. Observation: the number of mines in the 3
 * x 3 fields around the clicked one, itself included, one-hot (0 at first), so that a policy must know what it clicked. Truncated
 * after L steps.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has 4 x 4 fields and 2 mines, Medium 6 x 6 and 6, Hard 8 x 8 and 10. As there,
 * Hard has observations for 0 to 9 mines: ten around one field have no room.
 */
final class MineSweeper extends BatchedEnvironment {
    private static final byte CLEAR = 0;
    private static final byte MINE = 1;
    private static final byte CLICKED = 2;

    private final int board;
    private final int fields;
    private final int mines;
    private final int counts;
    private final float clearReward;
    private final float seenReward;
    private final float mineReward;

    /** [count, fields]. */
    private final byte[] hidden;

    private final int[] clicked = newInts();

    static EnvironmentSpec spec(Level level) {
        int board = level.of(4, 6, 8);
        int mines = level.of(2, 6, 10);
        return level.spec(
                        "MineSweeper",
                        "Click all fields but those with mines",
                        count -> new MineSweeper(count, board, mines))
                .withReference("optimum, with luck", 1)
                .withReference("never twice the same", level.of(-0.23, -0.39, -0.43))
                .withReference("random", level.of(-0.24, -0.40, -0.43));
    }

    MineSweeper(int count, int board, int mines) {
        super(
                count,
                new Space.Discrete(Math.min(mines + 1, 10)),
                new Space.MultiDiscrete(board, board),
                board * board - mines);
        this.board = board;
        this.fields = board * board;
        this.mines = mines;
        this.counts = Math.min(mines + 1, 10);
        hidden = newBytes(fields);
        int clear = fields - mines;
        clearReward = (float) (1.0 / clear);
        seenReward = (float) (-0.5 / (clear - 2));
        mineReward = (float) (-0.5 - 1.0 / clear);
    }

    /** Of the kernel. */
    private record Constants(
            int board,
            int mines,
            int counts,
            float clearReward,
            float seenReward,
            float mineReward,
            byte clear,
            byte mine,
            byte clicked) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm(
                "mine_sweeper",
                new Constants(board, mines, counts, clearReward, seenReward, mineReward, CLEAR, MINE, CLICKED));
    }

    @Override
    protected void begin(int i, float[] observations) {
        Arrays.fill(hidden, i * fields, (i + 1) * fields, CLEAR);
        for (int laid = 0; laid < mines; ) {
            int field = i * fields + below(i, fields);
            laid += hidden[field] == CLEAR ? 1 : 0;
            hidden[field] = MINE;
        }
        clicked[i] = 0;
        writeOneHot(0, counts, observations, i * counts);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        int clear = fields - mines;
        for (int i = 0; i < count(); i++) {
            int row = choices[2 * i];
            int column = choices[2 * i + 1];
            int field = i * fields + row * board + column;
            float reward;
            if (hidden[field] == MINE) {
                reward = mineReward;
            } else if (hidden[field] == CLICKED) {
                reward = seenReward;
            } else {
                reward = clearReward;
                hidden[field] = CLICKED;
                clicked[i]++;
            }
            result.rewards()[i] = reward;
            result.terminated()[i] = hidden[field] == MINE || clicked[i] == clear;
            writeOneHot(minesAround(i, row, column), counts, result.observations(), i * counts);
        }
    }

    private int minesAround(int i, int row, int column) {
        int around = 0;
        for (int r = Math.max(0, row - 1); r <= Math.min(board - 1, row + 1); r++) {
            for (int c = Math.max(0, column - 1); c <= Math.min(board - 1, column + 1); c++) {
                around += hidden[i * fields + r * board + c] == MINE ? 1 : 0;
            }
        }
        return around;
    }

    @Override
    public Drawable drawable(int i) {
        return new Board(board, board) {
            private byte what(int row, int column) {
                return hidden[i * fields + row * board + column];
            }

            @Override
            Color colour(int row, int column) {
                return what(row, column) == MINE ? BAD : what(row, column) == CLICKED ? AGENT : EMPTY;
            }

            @Override
            String label(int row, int column) {
                return what(row, column) == MINE
                        ? "*"
                        : what(row, column) == CLICKED ? "" + minesAround(i, row, column) : "";
            }

            @Override
            String caption() {
                return clicked[i] + " of " + (fields - mines)
                        + " fields are clear; red: mines, which the agent can't see";
            }

            @Override
            public @Nullable Rectangle2D place(@Nullable Action last) {
                return last == null ? null : field(last.choice(0), last.choice(1));
            }
        };
    }
}
