// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import org.fovea.env.Space;
import org.fovea.rl.config.ActionLimit;

/**
 * The map from a policy's numbers to an environment's actions that {@link Space.Box} describes: [-1, 1] is the range from
 * bound to bound, and what lies outside is clipped; or the hyperbolic tangent, which needs no clipping, goes before. The
 * policy itself never sees the outcome: it learns from what it drew.
 */
public final class ActionBounds {
    private final int size;
    private final ActionLimit limit;
    private final boolean[] bounded;
    private final float[] low;
    private final float[] high;
    private final double[] middle;
    private final double[] halfRange;

    ActionBounds(Space.Box box, ActionLimit limit) {
        this.size = box.size();
        this.limit = limit;
        this.bounded = new boolean[size];
        this.low = box.low();
        this.high = box.high();
        this.middle = new double[size];
        this.halfRange = new double[size];
        for (int i = 0; i < size; i++) {
            bounded[i] = box.isBounded(i);
            middle[i] = bounded[i] ? 0.5 * ((double) low[i] + high[i]) : 0;
            halfRange[i] = bounded[i] ? 0.5 * ((double) high[i] - low[i]) : 1;
        }
    }

    /** Lowest, then highest numbers, [2, size], as {@link org.fovea.backend.rl.EnvironmentActions} has them. */
    public float[] range() {
        float[] range = Arrays.copyOf(low, 2 * size);
        System.arraycopy(high, 0, range, size, size);
        return range;
    }

    /** Whether a number with two bounds goes through the hyperbolic tangent first. */
    public boolean isTanh() {
        return limit == ActionLimit.TANH;
    }

    /** Closest to a bound that the hyperbolic tangent is asked to come, so that what leads there is finite. */
    private static final double ALMOST_ONE = 0.9999;

    /**
     * What a policy would have drawn to give these actions.
     *
     * @param actions [rows, size], within bounds or not
     */
    public float[] drawn(float[] actions) {
        float[] drawn = new float[actions.length];
        for (int at = 0; at < drawn.length; at++) {
            int i = at % size;
            double unit = (actions[at] - middle[i]) / halfRange[i];
            if (bounded[i]) {
                unit = Math.max(-1, Math.min(1, unit));
            }
            if (limit == ActionLimit.TANH && bounded[i]) {
                double within = Math.max(-ALMOST_ONE, Math.min(ALMOST_ONE, unit));
                unit = 0.5 * Math.log((1 + within) / (1 - within));
            }
            drawn[at] = (float) unit;
        }
        return drawn;
    }

    /**
     * Brings actions within bounds.
     *
     * @param drawn [rows, size]
     * @param actions written, [rows, size]
     * @param begin the first element of a row
     * @param end one after the last of a row
     */
    void apply(float[] drawn, float[] actions, int begin, int end) {
        for (int from = begin; from < end; from += size) {
            for (int i = 0; i < size; i++) {
                double unit = drawn[from + i];
                if (limit == ActionLimit.TANH && bounded[i]) {
                    unit = Math.tanh(unit);
                }
                float value = (float) (middle[i] + halfRange[i] * unit);
                actions[from + i] = Math.max(low[i], Math.min(high[i], value));
            }
        }
    }
}
