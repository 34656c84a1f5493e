package org.fovea.rl;

import java.util.Arrays;

/** Returns of episodes, in the order in which they ended. */
final class EpisodeLog {
    private double[] returns = new double[16];
    private int size;

    void clear() {
        size = 0;
    }

    void ended(double episodeReturn) {
        if (size == returns.length) {
            returns = Arrays.copyOf(returns, 2 * size);
        }
        returns[size++] = episodeReturn;
    }

    int size() {
        return size;
    }

    double episodeReturn(int index) {
        return returns[index];
    }
}
