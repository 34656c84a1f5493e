// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.List;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * Watch a pile of cards being dealt, then name their suits backwards, the newest first.
 *
 * <p>One or more decks of 52 cards, n in all, are shuffled and one card is dealt. Observation: mode (1 watch, 0 recite) and
 * the suit of the newest card, each one-hot. While watching, whatever the action, a card is dealt; the last card is shown with
 * mode 0. Then follow n steps, in each of which naming the next suit earns 1 / n and another loses as much; mode 0 and suit 0
 * are shown. Terminates after 2 n - 1 steps.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has 1 deck, Medium 2, Hard 3.
 */
final class Autoencode extends CardGame {
    private static final int SUITS = Face.SUIT.values;
    private static final int MODES = 2;
    private static final int RECITE = 0;
    private static final int WATCH = 1;
    private static final int SIZE = MODES + SUITS;

    private final float scale;
    private final byte[] suits = newPile();

    static EnvironmentSpec spec(Level level) {
        int decks = level.of(1, 2, 3);
        return level.spec("Autoencode", "Name the suits of all cards backwards", count -> new Autoencode(count, decks))
                .withReference("optimum", 1)
                .withReference("random", -0.50);
    }

    Autoencode(int count, int decks) {
        super(
                count,
                decks,
                Face.SUIT,
                new Space.Tuple(new Space.Discrete(MODES), new Space.Discrete(SUITS)),
                new Space.Discrete(SUITS),
                NO_TIME_LIMIT);
        scale = 1f / cards;
    }

    /** Of the kernel. */
    private record Constants(Pack pack, float reward) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("autoencode", new Constants(pack(), scale));
    }

    @Override
    protected void begin(int i, float[] observations) {
        shuffle(i, suits);
        observe(i, WATCH, suits[i * cards], observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < count(); i++) {
            int dealt = elapsed[i] + 1;
            int recited = dealt - cards;
            if (recited < 0) {
                result.rewards()[i] = 0;
                observe(i, dealt == cards - 1 ? RECITE : WATCH, suits[i * cards + dealt], result.observations());
            } else {
                int asked = suits[(i + 1) * cards - 1 - recited];
                result.rewards()[i] = choices[i] == asked ? scale : -scale;
                observe(i, RECITE, 0, result.observations());
            }
            result.terminated()[i] = recited == cards - 1;
        }
    }

    private static void observe(int i, int mode, int suit, float[] observations) {
        writeOneHot(mode, MODES, observations, i * SIZE);
        writeOneHot(suit, SUITS, observations, i * SIZE + MODES);
    }

    @Override
    public Drawable drawable(int i) {
        return new CardPicture() {
            @Override
            List<Card> cards() {
                int dealt = elapsed[i];
                return dealt < cards
                        ? List.of(new Card("newest", Face.SUIT, suits[i * cards + dealt]))
                        : List.of(new Card(
                                "asked for, not seen",
                                Face.SUIT,
                                suits[i * cards + Math.max(0, 2 * cards - 1 - dealt)]));
            }

            @Override
            String caption() {
                return elapsed[i] < cards
                        ? "card " + (elapsed[i] + 1) + " of " + cards + " is shown"
                        : "recall " + (elapsed[i] - cards + 1) + " of " + cards;
            }
        };
    }
}
