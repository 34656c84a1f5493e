// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Space;

/**
 * Give the numbers that are seen, each between bounds of its own, five times. A step costs their mean distance in units of
 * half the range: the middle gives -2.5. Throws where an action is out of bounds.
 */
final class Reach extends Task {
    private final float[] low;
    private final float[] high;
    private final float[] target;

    Reach(float[] low, float[] high) {
        super(5);
        this.low = low;
        this.high = high;
        this.target = new float[low.length];
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(low, high);
    }

    @Override
    public Space actionSpace() {
        return new Space.Box(low, high);
    }

    @Override
    void begin(Random random) {
        for (int i = 0; i < target.length; i++) {
            target[i] = low[i] + random.nextFloat() * (high[i] - low[i]);
        }
    }

    @Override
    float[] observe() {
        return target.clone();
    }

    @Override
    double act(Action action) {
        double distance = 0;
        for (int i = 0; i < target.length; i++) {
            float given = action.values()[i];
            if (!(given >= low[i] && given <= high[i])) {
                throw new IllegalArgumentException(
                        "action[" + i + "] is " + given + ", not in [" + low[i] + ", " + high[i] + "]");
            }
            distance += 2 * Math.abs(given - target[i]) / (high[i] - low[i]);
        }
        begin(random());
        return -distance / target.length;
    }
}
