// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.util.Arrays;

/** Returns and lengths of episodes, in the order in which they ended. */
final class EpisodeLog {
    private double[] returns = new double[16];
    private int[] lengths = new int[16];
    private int size;

    void clear() {
        size = 0;
    }

    void ended(double episodeReturn, int steps) {
        if (size == returns.length) {
            returns = Arrays.copyOf(returns, 2 * size);
            lengths = Arrays.copyOf(lengths, 2 * size);
        }
        returns[size] = episodeReturn;
        lengths[size++] = steps;
    }

    int size() {
        return size;
    }

    double episodeReturn(int index) {
        return returns[index];
    }

    /** Steps of the episode. */
    int length(int index) {
        return lengths[index];
    }
}
