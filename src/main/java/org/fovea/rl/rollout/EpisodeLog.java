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

    void addAll(EpisodeLog others) {
        for (int i = 0; i < others.size; i++) {
            ended(others.returns[i], others.lengths[i]);
        }
    }

    /** {@code first}, and returns and lengths in turn. */
    double[] save(double first) {
        double[] saved = new double[1 + 2 * size];
        saved[0] = first;
        for (int i = 0; i < size; i++) {
            saved[1 + 2 * i] = returns[i];
            saved[2 + 2 * i] = lengths[i];
        }
        return saved;
    }

    /** What {@link #save} was of. */
    static EpisodeLog restore(double[] saved) {
        EpisodeLog log = new EpisodeLog();
        for (int i = 1; i < saved.length; i += 2) {
            log.ended(saved[i], (int) saved[i + 1]);
        }
        return log;
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
