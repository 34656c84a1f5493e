// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Space;
import org.fovea.env.Step;

/** {@code MountainCarContinuous-v0} of Gymnasium: 100 for the hill top, minus a tenth of the squared force per step. */
final class MountainCarContinuous implements Environment {
    private double position;
    private double velocity;
    private int time;

    @Override
    public Space observationSpace() {
        return new Space.Box(new float[] {-1.2f, -0.07f}, new float[] {0.6f, 0.07f});
    }

    @Override
    public Space actionSpace() {
        return new Space.Box(1, -1, 1);
    }

    @Override
    public float[] reset(long seed) {
        position = -0.6 + 0.2 * new Random(seed).nextDouble();
        velocity = 0;
        time = 0;
        return observation();
    }

    @Override
    public Step step(Action action) {
        double force = Math.max(-1, Math.min(1, action.values()[0]));
        velocity += 0.0015 * force - 0.0025 * Math.cos(3 * position);
        velocity = Math.max(-0.07, Math.min(0.07, velocity));
        position = Math.max(-1.2, Math.min(0.6, position + velocity));
        if (position == -1.2 && velocity < 0) {
            velocity = 0;
        }
        double cost = 0.1 * force * force;
        if (position >= 0.45) {
            return Step.terminated(observation(), 100 - cost);
        }
        return ++time == 999 ? Step.truncated(observation(), -cost) : Step.of(observation(), -cost);
    }

    private float[] observation() {
        return new float[] {(float) position, (float) velocity};
    }
}
