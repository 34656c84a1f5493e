// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import org.fovea.env.DeviceForm;
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
final class MountainCarContinuous extends MountainCar {
    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "MountainCarContinuous-v0",
                    "Rock a car out of a valley by a force that costs",
                    MountainCarContinuous::new)
            .withSolvedAt(90)
            .withReference("standing still", 0);

    private static final double FORCE = 0.0015;
    private static final double GOAL = 0.45;
    private static final double GOAL_REWARD = 100;
    private static final double FORCE_COST = 0.1;
    private static final double MAX_FORCE = 1;

    MountainCarContinuous(int count) {
        super(count, new Space.Box(1, (float) -MAX_FORCE, (float) MAX_FORCE), 999);
    }

    @Override
    protected DeviceForm deviceForm() {
        return deviceForm("mountain_car_continuous", FORCE, GOAL, GOAL_REWARD, FORCE_COST, MAX_FORCE);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < position.length; i++) {
            double force = Math.max(-MAX_FORCE, Math.min(MAX_FORCE, values[i]));
            boolean arrived = move(i, force * FORCE, GOAL, result.observations());
            result.rewards()[i] = (float) ((arrived ? GOAL_REWARD : 0) - FORCE_COST * values[i] * values[i]);
            result.terminated()[i] = arrived;
        }
    }
}
