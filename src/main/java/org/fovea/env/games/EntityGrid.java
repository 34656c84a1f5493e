// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import java.util.Map;
import org.fovea.env.Action;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.jspecify.annotations.Nullable;

/**
 * Walk to the two of many items whose colour a sign shows, and around the others: a few of a set of entities matter, and which
 * ones follows from comparing entities.
 *
 * <p>A grid of 8 x 8 cells with the agent in one of them and 8 to 24 items in others, all uniformly drawn, as is the sign's
 * colour, one of 6. Two items have that colour, each of the others one of the other five. Actions move left (0), right (1), up (2) or
 * down (3); at a wall the agent stays. An item in the cell that it moves to is taken: 0.5 for one of the sign's colour, -0.05 for
 * any other. Terminates when both are taken, truncated after 40 steps.
 *
 * <p>Observation: a set of up to 25 entities of 9 features, in an order that is drawn anew in each step: the sign and the items
 * that are left. Of an item its columns to the right of the agent and its rows below, each divided by 8; 0; and its colour,
 * one-hot. Of the sign 0, 0, 1 and its colour. Walls are not shown.
 *
 * <p>Mean returns of 2,000 and more episodes, played by {@code EntityGridTest}: 0.994 by the way with the fewest other items, which
 * is the optimum but for detours that a time limit cuts; 0.92 straight to the nearest wanted item, through others; 0.52 to the
 * nearest item, whatever its colour; 0.08 at random. The state is seen in full, so memory is not needed.
 */
final class EntityGrid extends BatchedEnvironment {
    private static final int SIDE = 8;
    private static final int CELLS = SIDE * SIDE;
    private static final int LEAST = 8;
    private static final int MOST = 24;
    private static final int WANTED = 2;
    private static final int COLOURS = 6;
    private static final int FEATURES = 3 + COLOURS;
    private static final int SIZE = (MOST + 1) * FEATURES + 1;
    private static final int STEPS = 40;
    private static final float WANTED_REWARD = 0.5f;
    private static final float OTHER_COST = 0.05f;

    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "EntityGrid-v0", "Walk to the two of many items whose colour a sign shows", EntityGrid::new)
            .withSolvedAt(0.9)
            .withReference("optimum", 0.994)
            .withReference("straight to the wanted items", 0.92)
            .withReference("to the nearest item", 0.52)
            .withReference("random", 0.08)
            .withTuned("ppo", Map.of("steps", "1000000", "envs", "64", "epochs", "4", "minibatches", "8"))
            .withTuned("ppo", Map.of("learning_rate", "5e-4", "gamma", "0.95"));

    /** Its cell, row by row. */
    final int[] agent = newInts();

    private final int[] sign = newInts();
    private final int[] left = newInts();

    /** Colour of the item in each cell and 1; 0 where there is none, [count, cells]. */
    private final byte[] items = newBytes(CELLS);

    /** The cells that have an item, and -1 for the sign. */
    private final int[] order = new int[MOST + 1];

    /** Those of what was observed last, [count, most + 1], for the picture alone. */
    private final int[] shown;

    EntityGrid(int count) {
        super(count, new Space.Entities(MOST + 1, FEATURES), new Space.Discrete(4), STEPS);
        shown = new int[count * (MOST + 1)];
    }

    /** Of the kernel. */
    private record Constants(
            int side, int least, int most, int wanted, int colours, float wantedReward, float otherCost) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm(
                "entity_grid", new Constants(SIDE, LEAST, MOST, WANTED, COLOURS, WANTED_REWARD, OTHER_COST));
    }

    @Override
    protected void begin(int i, float[] observations) {
        Arrays.fill(items, i * CELLS, (i + 1) * CELLS, (byte) 0);
        agent[i] = below(i, CELLS);
        sign[i] = below(i, COLOURS);
        left[i] = WANTED;
        int number = LEAST + below(i, MOST - LEAST + 1);
        for (int placed = 0; placed < number; ) {
            int cell = below(i, CELLS);
            if (cell != agent[i] && items[i * CELLS + cell] == 0) {
                int colour = placed < WANTED ? sign[i] : (sign[i] + 1 + below(i, COLOURS - 1)) % COLOURS;
                items[i * CELLS + cell] = (byte) (colour + 1);
                placed++;
            }
        }
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < agent.length; i++) {
            agent[i] = move(agent[i], choices[i]);
            int item = i * CELLS + agent[i];
            float reward = 0;
            if (items[item] == sign[i] + 1) {
                reward = WANTED_REWARD;
                left[i]--;
            } else if (items[item] > 0) {
                reward = -OTHER_COST;
            }
            items[item] = 0;
            result.rewards()[i] = reward;
            result.terminated()[i] = left[i] == 0;
            observe(i, result.observations());
        }
    }

    private static int move(int cell, int choice) {
        int column = cell % SIDE + (choice == 0 ? -1 : choice == 1 ? 1 : 0);
        int row = cell / SIDE + (choice == 2 ? -1 : choice == 3 ? 1 : 0);
        boolean inside = column >= 0 && column < SIDE && row >= 0 && row < SIDE;
        return inside ? row * SIDE + column : cell;
    }

    private void observe(int i, float[] observations) {
        int number = shuffledEntities(i);
        System.arraycopy(order, 0, shown, i * (MOST + 1), number);
        int row = i * SIZE;
        Arrays.fill(observations, row, row + SIZE, 0);
        for (int k = 0; k < number; k++) {
            int at = row + k * FEATURES;
            int cell = order[k];
            if (cell < 0) {
                observations[at + 2] = 1;
                observations[at + 3 + sign[i]] = 1;
            } else {
                observations[at] = (float) (cell % SIDE - agent[i] % SIDE) / SIDE;
                observations[at + 1] = (float) (cell / SIDE - agent[i] / SIDE) / SIDE;
                observations[at + 2 + items[i * CELLS + cell]] = 1;
            }
        }
        observations[row + SIZE - 1] = number;
    }

    /** Writes {@link #order} and returns how many there are. */
    private int shuffledEntities(int i) {
        order[0] = -1;
        int number = 1;
        for (int cell = 0; cell < CELLS; cell++) {
            if (items[i * CELLS + cell] > 0) {
                int other = below(i, number + 1);
                order[number] = order[other];
                order[other] = cell;
                number++;
            }
        }
        return number;
    }

    @Override
    public Drawable drawable(int i) {
        return new Board(SIDE, SIDE) {
            private int item(int row, int column) {
                return items[i * CELLS + row * SIDE + column];
            }

            private boolean isAgent(int row, int column) {
                return agent[i] == row * SIDE + column;
            }

            @Override
            Color colour(int row, int column) {
                return isAgent(row, column)
                        ? DARK
                        : item(row, column) == 0
                                ? EMPTY
                                : Color.getHSBColor((item(row, column) - 1f) / COLOURS, 0.7f, 0.8f);
            }

            @Override
            String label(int row, int column) {
                return isAgent(row, column)
                        ? "@"
                        : item(row, column) == 0 ? "" : "" + (char) ('A' + item(row, column) - 1);
            }

            @Override
            String caption() {
                return "the sign shows " + (char) ('A' + sign[i]) + "; " + left[i] + " of that colour are left";
            }

            @Override
            public Rectangle2D place(@Nullable Action last) {
                return field(agent[i] / SIDE, agent[i] % SIDE);
            }

            /** The sign is in the heading. */
            @Override
            public Rectangle2D entity(String path, int row) {
                int cell = shown[i * (MOST + 1) + row];
                return cell < 0 ? new Rectangle2D.Double(4, 6, 300, 32) : field(cell / SIDE, cell % SIDE);
            }
        };
    }
}
