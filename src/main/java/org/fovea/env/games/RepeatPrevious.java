// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.List;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * Cards are dealt one by one; name the suit of the k-th newest.
 *
 * <p>One or more decks of 52 cards, n in all, are shuffled and one card is dealt. Observation: the suit of the newest
 * card, one-hot. Once k cards have been dealt, an action that names the suit of the k-th newest (k = 1 is the newest)
 * earns 1 / (n - k), another loses as much. Then a card is dealt; the episode terminates with the last one, after n - 1
 * steps. Counting suits is what a policy can do that sees which cards were dealt but not in which order.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has k = 4 and 1 deck, Medium 32 and 2, Hard 64 and 3.
 */
final class RepeatPrevious extends CardGame {
    private static final int SUITS = Face.SUIT.values;

    private final int k;
    private final float scale;
    private final byte[] suits = newPile();

    static EnvironmentSpec spec(Level level) {
        int k = level.of(4, 32, 64);
        int decks = level.of(1, 2, 3);
        return level.spec(
                        "RepeatPrevious",
                        "Name the suit of the 4th, 32nd or 64th newest card",
                        count -> new RepeatPrevious(count, decks, k))
                .withSolvedAt(0.9)
                .withReference("optimum", 1)
                .withReference("counting suits", level.of(-0.34, -0.43, -0.44))
                .withReference("random", -0.50);
    }

    RepeatPrevious(int count, int decks, int k) {
        super(count, decks, Face.SUIT, new Space.Discrete(SUITS), new Space.Discrete(SUITS), NO_TIME_LIMIT);
        this.k = k;
        scale = 1f / (cards - k);
    }

    /** Of the kernel. */
    private record Constants(Pack pack, float reward, int k) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("repeat_previous", new Constants(pack(), scale, k));
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
            float reward = 0;
            if (dealt >= k) {
                reward = choices[i] == suits[i * cards + dealt - k] ? scale : -scale;
            }
            result.rewards()[i] = reward;
            result.terminated()[i] = dealt == cards - 1;
            writeOneHot(suits[i * cards + dealt], SUITS, result.observations(), i * SUITS);
        }
    }

    @Override
    public Drawable drawable(int i) {
        return new CardPicture() {
            @Override
            List<Card> cards() {
                int asked = elapsed[i] + 1 - k;
                return List.of(
                        new Card("newest", Face.SUIT, suits[i * cards + elapsed[i]]),
                        new Card("asked for, not seen", Face.SUIT, asked < 0 ? -1 : suits[i * cards + asked]));
            }

            @Override
            String caption() {
                return "card " + (elapsed[i] + 1) + " of " + cards + "; asked for: the one dealt " + (k - 1)
                        + " before";
            }
        };
    }
}
