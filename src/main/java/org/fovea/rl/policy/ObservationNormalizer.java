// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

/**
 * Shifts and scales observations by running moments, clipped to [-10, 10]; or leaves them alone. The moments stand still
 * while a segment is played and take in the whole of it afterwards, except for the first one: it would be played blind, so
 * they take in each of its steps before the policy is shown it.
 */
public final class ObservationNormalizer {
    private static final double LIMIT = 10;

    private final boolean enabled;
    private final RunningMoments moments;
    private final double[] mean;
    private final double[] reciprocalStd;

    ObservationNormalizer(boolean enabled, int size) {
        this.enabled = enabled;
        this.moments = new RunningMoments(size);
        this.mean = new double[size];
        this.reciprocalStd = new double[size];
        refresh();
    }

    public boolean enabled() {
        return enabled;
    }

    /** Whether it has yet to see its first observation. */
    public boolean lacksStatistics() {
        return enabled && moments.isEmpty();
    }

    void normalize(float[] source, int from, float[] target, int to) {
        int size = mean.length;
        if (!enabled) {
            System.arraycopy(source, from, target, to, size);
            return;
        }
        for (int i = 0; i < size; i++) {
            double scaled = (source[from + i] - mean[i]) * reciprocalStd[i];
            target[to + i] = (float) Math.max(-LIMIT, Math.min(LIMIT, scaled));
        }
    }

    /** Takes in {@code rows} raw observations; they count from the next {@link #refresh} on. */
    public void include(float[] observations, int rows) {
        moments.include(observations, rows);
    }

    /** Makes what was included count. */
    public void refresh() {
        for (int i = 0; i < mean.length; i++) {
            mean[i] = moments.mean(i);
            reciprocalStd[i] = 1 / moments.std(i);
        }
    }

    public RunningMoments moments() {
        return moments;
    }
}
