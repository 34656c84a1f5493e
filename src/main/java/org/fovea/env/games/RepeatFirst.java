// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.List;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * Cards are dealt one by one; name the suit of the first, in every step.
 *
 * <p>One or more decks of 52 cards, n in all, are shuffled and one card is dealt. Observation: the suit of the newest card,
 * one-hot. An action that names the suit of the first earns 1 / (n - 1), another loses as much. Then a card is dealt; the
 * episode terminates with the last one, after n - 1 steps.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has 1 deck, Medium 8, Hard 16.
 */
final class RepeatFirst extends CardGame {
    private static final int SUITS = Face.SUIT.values;

    private final float scale;
    private final byte[] suits = newPile();

    static EnvironmentSpec spec(Level level) {
        int decks = level.of(1, 8, 16);
        return level.spec("RepeatFirst", "Name the suit of the first card", count -> new RepeatFirst(count, decks))
                .withSolvedAt(0.95)
                .withReference("optimum", 1)
                .withReference("counting suits", level.of(-0.29, -0.41, -0.47))
                .withReference("random", -0.50);
    }

    RepeatFirst(int count, int decks) {
        super(count, decks, Face.SUIT, new Space.Discrete(SUITS), new Space.Discrete(SUITS), NO_TIME_LIMIT);
        scale = 1f / (cards - 1);
    }

    /** Of the kernel. */
    private record Constants(Pack pack, float reward) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("repeat_first", new Constants(pack(), scale));
    }

    @Override
    protected void begin(int i, float[] observations) {
        shuffle(i, suits);
        writeOneHot(suits[i * cards], SUITS, observations, i * SUITS);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < count(); i++) {
            int dealt = elapsed[i] + 1;
            result.rewards()[i] = choices[i] == suits[i * cards] ? scale : -scale;
            result.terminated()[i] = dealt == cards - 1;
            writeOneHot(suits[i * cards + dealt], SUITS, result.observations(), i * SUITS);
        }
    }

    @Override
    public Drawable drawable(int i) {
        return new CardPicture() {
            @Override
            List<Card> cards() {
                return List.of(
                        new Card("newest", Face.SUIT, suits[i * cards + elapsed[i]]),
                        new Card("the first, asked for", Face.SUIT, suits[i * cards]));
            }

            @Override
            String caption() {
                return "card " + (elapsed[i] + 1) + " of " + cards;
            }
        };
    }
}
