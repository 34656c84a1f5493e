// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.List;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * Cards are dealt one by one; say whether the next will rank higher (0) or lower (1).
 *
 * <p>One or more decks of 52 cards, n in all, are shuffled and one card is dealt. Observation: the rank of the newest card,
 * one-hot, ace lowest. Right earns 1 / n, wrong loses as much, an equal rank is worth 0. Terminates with the last card, after n
 * - 1 steps. Higher below the middle rank and lower above it is the best without memory; counting cards is a little better.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has 1 deck, Medium 2, Hard 3.
 */
final class HigherLower extends CardGame {
    private static final int RANKS = Face.RANK.values;

    private final float scale;
    private final byte[] ranks = newPile();

    static EnvironmentSpec spec(Level level) {
        int decks = level.of(1, 2, 3);
        return level.spec("HigherLower", "Will the next card rank higher?", count -> new HigherLower(count, decks))
                .withReference("counting cards", level.of(0.527, 0.516, 0.510))
                .withReference("best without memory", level.of(0.497, 0.497, 0.496))
                .withReference("random", 0);
    }

    HigherLower(int count, int decks) {
        super(count, decks, Face.RANK, new Space.Discrete(RANKS), new Space.Discrete(2), NO_TIME_LIMIT);
        scale = 1f / cards;
    }

    /** Of the kernel. */
    private record Constants(Pack pack, float reward) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("higher_lower", new Constants(pack(), scale));
    }

    @Override
    protected void begin(int i, float[] observations) {
        shuffle(i, ranks);
        writeOneHot(ranks[i * cards], RANKS, observations, i * RANKS);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < count(); i++) {
            int dealt = elapsed[i] + 1;
            int rank = ranks[i * cards + dealt];
            int difference = Integer.signum(rank - ranks[i * cards + dealt - 1]);
            result.rewards()[i] = (choices[i] == 0 ? difference : -difference) * scale;
            result.terminated()[i] = dealt == cards - 1;
            writeOneHot(rank, RANKS, result.observations(), i * RANKS);
        }
    }

    @Override
    public Drawable drawable(int i) {
        return new CardPicture() {
            @Override
            List<Card> cards() {
                return List.of(
                        new Card("newest", Face.RANK, ranks[i * cards + elapsed[i]]),
                        new Card(
                                "next, not seen",
                                Face.RANK,
                                elapsed[i] + 1 < cards ? ranks[i * cards + elapsed[i] + 1] : -1));
            }

            @Override
            String caption() {
                return "card " + (elapsed[i] + 1) + " of " + cards;
            }
        };
    }
}
