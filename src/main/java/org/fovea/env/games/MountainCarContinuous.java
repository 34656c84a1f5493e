// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import org.fovea.env.BatchedEnvironment;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * {@link MountainCar} with a force u from -1 to 1, clipped, that costs.
 *
 * <p>{@code v += 0.0015 u - 0.0025 cos 3x}, all else moves as there. Reward -0.1 u^2 a step, and 100 for the one that reaches x
 * &gt;= 0.45 with v &gt;= 0, which terminates; truncated after 999 steps. Not to move at all is worth 0, and better than to
 * push without reaching the goal.
 *
 * <p>Source: {@code MountainCarContinuous-v0} of Gymnasium, which rounds its state to float32 in each step; here it is float64.
 * The cost is that of the action before clipping, as there; a policy's lies within the bounds.
 */
final class MountainCarContinuous extends BatchedEnvironment {
    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "MountainCarContinuous-v0",
                    "Rock a car out of a valley by a force that costs",
                    MountainCarContinuous::new)
            .withSolvedAt(90)
            .withReference("standing still", 0);

    private static final double FORCE = 0.0015;
    private static final double GRAVITY = 0.0025;
    private static final double GOAL = 0.45;

    final double[] position = newDoubles();
    final double[] velocity = newDoubles();

    MountainCarContinuous(int count) {
        super(count, MountainCar.observations(), new Space.Box(1, -1, 1), 999);
    }

    @Override
    protected void begin(int i, float[] observations) {
        position[i] = uniform(i, -0.6, -0.4);
        velocity[i] = 0;
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < position.length; i++) {
            double force = Math.max(-1, Math.min(1, values[i]));
            double v = velocity[i] + force * FORCE - GRAVITY * Math.cos(3 * position[i]);
            v = Math.max(-MountainCar.MAX_SPEED, Math.min(MountainCar.MAX_SPEED, v));
            double x = Math.max(MountainCar.LEFT_END, Math.min(MountainCar.RIGHT_END, position[i] + v));
            v = x == MountainCar.LEFT_END ? Math.max(0, v) : v;
            position[i] = x;
            velocity[i] = v;
            boolean arrived = x >= GOAL && v >= 0;
            result.rewards()[i] = (float) ((arrived ? 100 : 0) - 0.1 * values[i] * values[i]);
            result.terminated()[i] = arrived;
            observe(i, result.observations());
        }
    }

    private void observe(int i, float[] observations) {
        observations[2 * i] = (float) position[i];
        observations[2 * i + 1] = (float) velocity[i];
    }
}
