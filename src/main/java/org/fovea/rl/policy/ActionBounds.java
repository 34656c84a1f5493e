// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.fovea.env.Space;

/**
 * The map from a policy's numbers to an environment's actions that {@link Space.Box} describes: [-1, 1] is the range from
 * bound to bound, and what lies outside is clipped. The policy itself never sees the outcome: it learns from what it drew.
 */
final class ActionBounds {
    private final int size;
    private final float[] low;
    private final float[] high;
    private final double[] middle;
    private final double[] halfRange;

    ActionBounds(Space.Box box) {
        this.size = box.size();
        this.low = box.low();
        this.high = box.high();
        this.middle = new double[size];
        this.halfRange = new double[size];
        for (int i = 0; i < size; i++) {
            boolean bounded = box.isBounded(i);
            middle[i] = bounded ? 0.5 * ((double) low[i] + high[i]) : 0;
            halfRange[i] = bounded ? 0.5 * ((double) high[i] - low[i]) : 1;
        }
    }

    /**
     * Brings actions within bounds.
     *
     * @param drawn [rows, size]
     * @param bounded written, [rows, size]
     */
    void apply(float[] drawn, float[] bounded) {
        for (int from = 0; from < drawn.length; from += size) {
            for (int i = 0; i < size; i++) {
                float value = (float) (middle[i] + halfRange[i] * drawn[from + i]);
                bounded[from + i] = Math.max(low[i], Math.min(high[i], value));
            }
        }
    }
}
