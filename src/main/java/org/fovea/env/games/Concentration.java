// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import org.fovea.env.Action;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.jspecify.annotations.Nullable;

/**
 * Cards lie face down; turn two at a time and find pairs.
 *
 * <p>n cards in a row. An action turns the card of that place. The second card of a turn ends it: two different cards of
 * the same face stay up and earn 2 / n, others (also the same card twice) lose 2 / T and are turned back. Turning a card that
 * is up ends the turn and loses 1 / T for each card of it. Observation: of each place the face of a card that is up or was
 * turned in this turn, its last card included, else face down, one-hot. Terminates when all are up, truncated after T = ceil(2 n
 * - n / (2 n - 1)) steps.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has colours and 1 deck, Medium colours and 2, Hard ranks and 1.
 */
final class Concentration extends CardGame {
    private static final byte DOWN = 0;
    private static final byte IN_TURN = 1;
    private static final byte UP = 2;
    private static final int NONE = -1;

    private final int faces;
    private final float pairReward;
    private final float cardCost;
    private final byte[] pile = newPile();
    private final byte[] side = newPile();

    /** Place of the first card of the turn, from 0 to n - 1. */
    private final int[] first = newInts();

    private final int[] up = newInts();

    static EnvironmentSpec spec(Level level) {
        int decks = level.of(1, 2, 1);
        Face face = level == Level.HARD ? Face.RANK : Face.COLOUR;
        return level.spec(
                        "Concentration",
                        "Find pairs among cards that lie face down",
                        count -> new Concentration(count, decks, face))
                .withReference("perfect memory", level.of(0.82, 0.81, 0.70))
                .withReference("any card that is down", level.of(0.45, 0.46, -0.81))
                .withReference("random", level.of(-0.19, -0.19, -0.84));
    }

    Concentration(int count, int decks, Face face) {
        super(count, decks, face, places(decks, face), new Space.Discrete(cards(decks)), steps(cards(decks)));
        faces = face.values;
        pairReward = 2f / cards;
        cardCost = 1f / steps(cards);
    }

    private static Space places(int decks, Face face) {
        int[] sides = new int[cards(decks)];
        Arrays.fill(sides, face.values + 1);
        return new Space.MultiDiscrete(sides);
    }

    private static int steps(int cards) {
        return (int) Math.ceil(2.0 * cards - cards / (2.0 * cards - 1));
    }

    /** Of the kernel. */
    private record Constants(Pack pack, float pairReward, float cardCost, byte down, byte inTurn, byte up) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("concentration", new Constants(pack(), pairReward, cardCost, DOWN, IN_TURN, UP));
    }

    @Override
    protected void begin(int i, float[] observations) {
        shuffle(i, pile);
        Arrays.fill(side, i * cards, (i + 1) * cards, DOWN);
        first[i] = NONE;
        up[i] = 0;
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < count(); i++) {
            int place = i * cards + choices[i];
            int other = first[i] == NONE ? NONE : i * cards + first[i];
            boolean wasUp = side[place] == UP;
            if (!wasUp) {
                side[place] = IN_TURN;
            }
            observe(i, result.observations());
            float reward = 0;
            boolean turnEnds = true;
            if (wasUp) {
                reward = (other == NONE ? -1 : -2) * cardCost;
            } else if (other == NONE) {
                turnEnds = false;
            } else if (other != place && pile[other] == pile[place]) {
                reward = pairReward;
                side[other] = UP;
                side[place] = UP;
                up[i] += 2;
            } else {
                reward = -2 * cardCost;
            }
            if (turnEnds) {
                turnBack(other);
                turnBack(place);
            }
            first[i] = turnEnds ? NONE : choices[i];
            result.rewards()[i] = reward;
            result.terminated()[i] = up[i] == cards;
        }
    }

    private void turnBack(int place) {
        if (place != NONE && side[place] == IN_TURN) {
            side[place] = DOWN;
        }
    }

    private void observe(int i, float[] observations) {
        for (int place = i * cards; place < (i + 1) * cards; place++) {
            int seen = side[place] == DOWN ? faces : pile[place];
            writeOneHot(seen, faces + 1, observations, place * (faces + 1));
        }
    }

    @Override
    public Drawable drawable(int i) {
        int columns = 13;
        return new Board(cards / columns, columns) {
            private boolean isSeen(int row, int column) {
                return side[i * cards + row * columns + column] != DOWN;
            }

            private int face(int row, int column) {
                return pile[i * cards + row * columns + column];
            }

            @Override
            Color colour(int row, int column) {
                return isSeen(row, column) ? Color.getHSBColor((float) face(row, column) / faces, 0.7f, 0.8f) : EMPTY;
            }

            @Override
            String label(int row, int column) {
                return isSeen(row, column) ? "" + (char) ('A' + face(row, column)) : "";
            }

            @Override
            String caption() {
                return up[i] + " of " + cards + " cards lie open";
            }

            @Override
            public @Nullable Rectangle2D place(@Nullable Action last) {
                return last == null ? null : field(last.choice() / columns, last.choice() % columns);
            }
        };
    }
}
