// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import org.fovea.env.BatchedEnvironment;
import org.fovea.env.Space;

/** Base of games with one or more decks of 52 cards, of which one face counts. */
abstract class CardGame extends BatchedEnvironment {
    private static final int DECK = 52;

    /** What is seen of a card; a deck has as many of each. */
    enum Face {
        COLOUR(2, 1),
        SUIT(4, 1),
        RANK(13, SUIT.values);

        /** How many there are. */
        final int values;

        /** How many cards that follow each other have the same. */
        private final int run;

        Face(int values, int run) {
            this.values = values;
            this.run = run;
        }

        /** That of the card with a number from 0 to 51: ranks follow each other, and within a rank the suits. */
        private int of(int card) {
            return card / run % values;
        }
    }

    private final Face face;

    /** Number of cards in all decks together. */
    final int cards;

    CardGame(int count, int decks, Face face, Space observations, Space actions, int timeLimit) {
        super(count, observations, actions, timeLimit);
        this.face = face;
        this.cards = decks * DECK;
    }

    /** What kernels know of the cards. */
    record Pack(int cards, int deck, int run, int faces) {}

    /** Those of this game. */
    final Pack pack() {
        return new Pack(cards, DECK, face.run, face.values);
    }

    /** What counts of a card. */
    final Face face() {
        return face;
    }

    /** How many cards so many decks have. */
    static int cards(int decks) {
        return decks * DECK;
    }

    /** The faces of all cards in their order, [count, cards], a state variable. */
    final byte[] newPile() {
        return newBytes(cards);
    }

    /** Shuffles row {@code i} of a pile: Fisher and Yates, inside out. */
    final void shuffle(int i, byte[] pile) {
        int row = i * cards;
        for (int card = 0; card < cards; card++) {
            int other = below(i, card + 1);
            pile[row + card] = pile[row + other];
            pile[row + other] = (byte) face.of(card % DECK);
        }
    }
}
