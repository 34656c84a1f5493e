// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

/**
 * How long and fast is learned from recorded episodes.
 *
 * @param epochs at most so many times through all episodes
 * @param patience epochs after which it ends if what was held out has not become more likely
 * @param heldOut share of the episodes that is not learned from, to tell when to stop; 0 for none
 * @param learningRate of Adam, falling to a tenth
 * @param seed of the order of episodes, and of which are held out
 */
public record ImitationSettings(int epochs, int patience, double heldOut, double learningRate, long seed) {
    /** Up to 100 epochs, until five have brought nothing, a tenth held out. */
    public static final ImitationSettings DEFAULT = new ImitationSettings(100, 5, 0.1, 1e-3, 1);

    /** Checks every range. */
    public ImitationSettings {
        require(epochs >= 1, "epochs", epochs, "at least 1");
        require(patience >= 1, "patience", patience, "at least 1");
        require(heldOut >= 0 && heldOut < 1, "held-out", heldOut, "from 0 to less than 1");
        require(learningRate > 0 && learningRate < 1, "learning-rate", learningRate, "greater than 0 and less than 1");
    }

    private static void require(boolean holds, String name, Number value, String expected) {
        if (!holds) {
            throw new IllegalArgumentException("--" + name + " must be " + expected + ", got " + value);
        }
    }
}
