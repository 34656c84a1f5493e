// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;

/** Mean and variance per column of all rows seen so far (Chan et al. 1979); mean 0 and variance 1 before the first. */
public final class RunningMoments {
    /** Deviations below this share of the mean are rounding: float32 has 2^-24 = 6e-8 of it. */
    private static final double SMALLEST_RELATIVE_STD = 1e-7;

    private final int size;
    private final double[] state;

    public RunningMoments(int size) {
        this.size = size;
        this.state = new double[1 + 2 * size];
    }

    /** Takes in {@code rows} rows, in order. */
    public void include(float[] values, int rows) {
        include(values, 0, rows);
    }

    /** Takes in {@code rows} rows, in order, the first of which begins at {@code from}. */
    public void include(float[] values, int from, int rows) {
        for (int row = 0; row < rows; row++) {
            double count = ++state[0];
            for (int i = 0; i < size; i++) {
                double value = values[from + row * size + i];
                double delta = value - state[1 + i];
                state[1 + i] += delta / count;
                state[1 + size + i] += delta * (value - state[1 + i]);
            }
        }
    }

    /** Takes in the rows that others have taken in, saved as by {@link #save} at {@code from} of an array. */
    public void merge(double[] saved, int from) {
        double more = saved[from];
        double count = state[0] + more;
        if (more == 0) {
            return;
        }
        for (int i = 0; i < size; i++) {
            double delta = saved[from + 1 + i] - state[1 + i];
            state[1 + i] += delta * more / count;
            state[1 + size + i] += saved[from + 1 + size + i] + delta * delta * state[0] * more / count;
        }
        state[0] = count;
    }

    /** None yet, of as many columns. */
    RunningMoments ofSameSize() {
        return new RunningMoments(size);
    }

    void clear() {
        Arrays.fill(state, 0);
    }

    boolean isEmpty() {
        return state[0] == 0;
    }

    public double mean(int column) {
        return state[1 + column];
    }

    /** Mean square of the distance from the mean; NaN before the first row. */
    public double variance(int column) {
        return state[1 + size + column] / state[0];
    }

    /** Standard deviation, whatever its magnitude; 1 for a column that has been constant but for rounding. */
    public double std(int column) {
        double std = isEmpty() ? 0 : Math.sqrt(state[1 + size + column] / state[0]);
        return std > SMALLEST_RELATIVE_STD * Math.abs(mean(column)) ? std : 1;
    }

    /** Count, means and sums of squared deviations, for a checkpoint. */
    public double[] save() {
        return state.clone();
    }

    public void restore(double[] saved) {
        if (saved.length != state.length) {
            throw new IllegalArgumentException(
                    "running moments of " + saved.length + " numbers, expected " + state.length);
        }
        System.arraycopy(saved, 0, state, 0, state.length);
    }
}
