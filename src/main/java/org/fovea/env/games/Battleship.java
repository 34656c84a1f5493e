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
 * Find ships of 2, 3, 3 and 4 fields on a board of B x B, told only whether a shot hit.
 *
 * <p>Ships lie along a row or column, may touch and don't overlap: each in turn is placed at a uniformly drawn end and direction, drawn
 * again until it fits. The action is row and column. A hit on a field not shot at before earns 1 / 12, any other shot loses 1 /
 * (B^2 - 12). Observation: hit or not, one-hot, so that a policy must know what it did. Terminates when all 12 are hit,
 * truncated after B^2 steps.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has B = 8, Medium 10, Hard 12.
 */
final class Battleship extends BatchedEnvironment {
    private static final int[] SHIPS = {2, 3, 3, 4};
    private static final int SHIP_FIELDS = Arrays.stream(SHIPS).sum();
    private static final float HIT_REWARD = 1f / SHIP_FIELDS;

    private final int board;
    private final int fields;
    private final float missCost;

    /** 1 where a ship is that was not hit, [count, fields]. */
    private final byte[] afloat;

    private final int[] hits = newInts();

    static EnvironmentSpec spec(Level level) {
        int board = level.of(8, 10, 12);
        return level.spec("Battleship", "Find four ships, told what hit", count -> new Battleship(count, board))
                .withReference("looking around hits", level.of(0.47, 0.52, 0.55))
                .withReference("never twice the same", 0.08)
                .withReference("random", level.of(-0.45, -0.42, -0.39));
    }

    Battleship(int count, int board) {
        super(count, new Space.Discrete(2), new Space.MultiDiscrete(board, board), board * board);
        this.board = board;
        this.fields = board * board;
        afloat = newBytes(fields);
        missCost = 1f / (fields - SHIP_FIELDS);
    }

    /** Of the kernel. */
    private record Constants(
            int board,
            int firstShip,
            int secondShip,
            int thirdShip,
            int fourthShip,
            int shipFields,
            float hitReward,
            float missCost) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm(
                "battleship",
                new Constants(board, SHIPS[0], SHIPS[1], SHIPS[2], SHIPS[3], SHIP_FIELDS, HIT_REWARD, missCost));
    }

    @Override
    protected void begin(int i, float[] observations) {
        Arrays.fill(afloat, i * fields, (i + 1) * fields, (byte) 0);
        for (int ship : SHIPS) {
            place(i, ship);
        }
        hits[i] = 0;
        writeOneHot(0, 2, observations, 2 * i);
    }

    private void place(int i, int ship) {
        int start;
        int step;
        do {
            int row = below(i, board);
            int column = below(i, board);
            int direction = below(i, 4);
            int along = direction < 2 ? row : column;
            int sign = direction % 2 == 0 ? 1 : -1;
            int end = along + sign * (ship - 1);
            start = i * fields + row * board + column;
            step = end < 0 || end >= board ? 0 : sign * (direction < 2 ? board : 1);
        } while (step == 0 || !isFree(start, step, ship));
        for (int part = 0; part < ship; part++) {
            afloat[start + part * step] = 1;
        }
    }

    private boolean isFree(int start, int step, int ship) {
        boolean free = true;
        for (int part = 0; part < ship; part++) {
            free &= afloat[start + part * step] == 0;
        }
        return free;
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < count(); i++) {
            int field = i * fields + choices[2 * i] * board + choices[2 * i + 1];
            boolean hit = afloat[field] == 1;
            afloat[field] = 0;
            hits[i] += hit ? 1 : 0;
            result.rewards()[i] = hit ? HIT_REWARD : -missCost;
            result.terminated()[i] = hits[i] == SHIP_FIELDS;
            writeOneHot(hit ? 1 : 0, 2, result.observations(), 2 * i);
        }
    }

    @Override
    public Drawable drawable(int i) {
        return new Board(board, board) {
            @Override
            Color colour(int row, int column) {
                return afloat[i * fields + row * board + column] == 1 ? DARK : EMPTY;
            }

            @Override
            String caption() {
                return hits[i] + " of " + SHIP_FIELDS + " hit; dark: afloat, which the agent can't see";
            }

            @Override
            public @Nullable Rectangle2D place(@Nullable Action last) {
                return last == null ? null : field(last.choice(0), last.choice(1));
            }
        };
    }
}
