// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** Returns and lengths of the last episodes of training. */
public final class RecentEpisodes {
    private static final int CAPACITY = 100;

    private final double[] returns = new double[CAPACITY];
    private final int[] lengths = new int[CAPACITY];
    private long episodes;
    private double bestMean = Double.NaN;
    private int longest;

    void add(EpisodeLog log) {
        for (int i = 0; i < log.size(); i++) {
            int slot = (int) (episodes++ % CAPACITY);
            returns[slot] = log.episodeReturn(i);
            lengths[slot] = log.length(i);
            if (episodes >= CAPACITY && !(meanReturn() <= bestMean)) {
                bestMean = meanReturn();
            }
        }
    }

    /** Includes the steps of an episode, whether or not it has ended, in the longest. */
    void sawSteps(int steps) {
        longest = Math.max(longest, steps);
    }

    /** Of all episodes so far. */
    public EpisodeStatistics statistics() {
        int count = count();
        double steps = 0;
        for (int i = 0; i < count; i++) {
            steps += lengths[i];
        }
        double meanLength = count == 0 ? Double.NaN : steps / count;
        return new EpisodeStatistics(meanReturn(), meanLength, bestMean, longest, episodes);
    }

    private double meanReturn() {
        int count = count();
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += returns[i];
        }
        return count == 0 ? Double.NaN : sum / count;
    }

    private int count() {
        return (int) Math.min(episodes, CAPACITY);
    }

    /** Writes them all for a checkpoint. */
    public void saveState(DataOutput out) throws IOException {
        for (int i = 0; i < CAPACITY; i++) {
            out.writeDouble(returns[i]);
            out.writeInt(lengths[i]);
        }
        out.writeLong(episodes);
        out.writeDouble(bestMean);
        out.writeInt(longest);
    }

    /** Reads what {@link #saveState} wrote. */
    public void restoreState(DataInput in) throws IOException {
        for (int i = 0; i < CAPACITY; i++) {
            returns[i] = in.readDouble();
            lengths[i] = in.readInt();
        }
        episodes = in.readLong();
        bestMean = in.readDouble();
        longest = in.readInt();
    }
}
