package org.fovea.rl;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** Returns of the last episodes of training. */
final class RecentReturns {
    private static final int CAPACITY = 100;

    private final double[] returns = new double[CAPACITY];
    private long episodes;
    private double bestMean = Double.NaN;

    void add(EpisodeLog log) {
        for (int i = 0; i < log.size(); i++) {
            returns[(int) (episodes++ % CAPACITY)] = log.episodeReturn(i);
            if (episodes >= CAPACITY && !(mean() <= bestMean)) {
                bestMean = mean();
            }
        }
    }

    /** Mean of the last 100, NaN before the first. */
    double mean() {
        int count = (int) Math.min(episodes, CAPACITY);
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += returns[i];
        }
        return count == 0 ? Double.NaN : sum / count;
    }

    /** Largest mean of 100 successive episodes so far, NaN if there were fewer. */
    double bestMean() {
        return bestMean;
    }

    long episodes() {
        return episodes;
    }

    void saveState(DataOutput out) throws IOException {
        for (double value : returns) {
            out.writeDouble(value);
        }
        out.writeLong(episodes);
        out.writeDouble(bestMean);
    }

    void restoreState(DataInput in) throws IOException {
        for (int i = 0; i < CAPACITY; i++) {
            returns[i] = in.readDouble();
        }
        episodes = in.readLong();
        bestMean = in.readDouble();
    }
}
