// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.List;

/**
 * Cards are dealt one by one; name the suit of the k-th newest.
 *
 * <p>One or more decks of 52 cards, n in all, are shuffled and one card is dealt. Observation: the suit of the newest
 * card, one-hot. Once k cards have been dealt, an action that names the suit of the k-th newest (k = 1 is the newest)
 * earns 1 / (n - k), another loses as much. Then a card is dealt; the episode terminates with the last one, after n - 1
 * steps. Counting suits
 * is what a policy can do that sees which cards were dealt but not in which order.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has k = 4 and 1 deck, Medium 32 and 2, Hard 64 and 3.
 */
final class RepeatPrevious extends BatchedEnvironment {
    static final List<EnvironmentSpec> SPECS =
            List.of(spec("Easy", 1, 4, -0.34), spec("Medium", 2, 32, -0.43), spec("Hard", 3, 64, -0.44));

    private static final int SUITS = 4;
    private static final int DECK = 52;

    private final int k;
    private final int cards;

    /** Suits in the order of dealing, [count, cards]. */
    private final byte[] suits;

    private static EnvironmentSpec spec(String level, int decks, int k, double byCounting) {
        return EnvironmentSpec.ofBatches(
                        "popgym-RepeatPrevious" + level + "-v0",
                        "Name the suit of the card dealt " + (k - 1) + " cards before the newest",
                        count -> new RepeatPrevious(count, decks, k))
                .withSolvedAt(0.9)
                .withReference("optimum", 1)
                .withReference("counting suits", byCounting)
                .withReference("random", -0.50);
    }

    RepeatPrevious(int count, int decks, int k) {
        super(count, new Space.Discrete(SUITS), new Space.Discrete(SUITS), NO_TIME_LIMIT);
        this.k = k;
        this.cards = decks * DECK;
        suits = newBytes(cards);
    }

    @Override
    void begin(int i, float[] observations) {
        int row = i * cards;
        for (int card = 0; card < cards; card++) {
            int other = below(i, card + 1);
            suits[row + card] = suits[row + other];
            suits[row + other] = (byte) (card % SUITS);
        }
        observe(i, 0, observations);
    }

    @Override
    void advance(int[] choices, float[] values, StepBatch result) {
        float[] observations = result.observations();
        float[] rewards = result.rewards();
        boolean[] terminated = result.terminated();
        float scale = 1f / (cards - k);
        for (int i = 0; i < count(); i++) {
            int dealt = elapsed[i] + 1;
            if (dealt < k) {
                rewards[i] = 0;
            } else {
                rewards[i] = choices[i] == suits[i * cards + dealt - k] ? scale : -scale;
            }
            terminated[i] = dealt == cards - 1;
            observe(i, dealt, observations);
        }
    }

    private void observe(int i, int newest, float[] observations) {
        int suit = suits[i * cards + newest];
        for (int s = 0; s < SUITS; s++) {
            observations[SUITS * i + s] = s == suit ? 1 : 0;
        }
    }
}
