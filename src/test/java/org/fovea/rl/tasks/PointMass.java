// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Space;

/** A mass on a plane is pushed to the origin and held there; each of 50 steps costs a tenth of the distance. */
final class PointMass extends Task {
    private static final double TIME_STEP = 0.1;

    private final double[] position = new double[2];
    private final double[] velocity = new double[2];

    PointMass() {
        super(50);
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(4, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
    }

    @Override
    public Space actionSpace() {
        return new Space.Box(2, -1, 1);
    }

    @Override
    void begin(Random random) {
        for (int axis = 0; axis < 2; axis++) {
            position[axis] = 2 * random.nextDouble() - 1;
            velocity[axis] = 0;
        }
    }

    @Override
    float[] observe() {
        return new float[] {(float) position[0], (float) position[1], (float) velocity[0], (float) velocity[1]};
    }

    @Override
    double act(Action action) {
        for (int axis = 0; axis < 2; axis++) {
            double force = Math.max(-1, Math.min(1, action.values()[axis]));
            velocity[axis] += TIME_STEP * force;
            position[axis] += TIME_STEP * velocity[axis];
        }
        return -0.1 * Math.hypot(position[0], position[1]);
    }
}
