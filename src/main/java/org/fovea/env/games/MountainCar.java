// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * Rock a car out of a valley by pushing it left (0), not at all (1) or right (2).
 *
 * <p>Position x uniform in (-0.6, -0.4) at first, velocity v 0. {@code v += 0.001 (choice - 1) - 0.0025 cos 3x}, clipped to
 * 0.07, and {@code x += v}, clipped to [-1.2, 0.6]; at the left end a negative v becomes 0. Reward -1 a step, that which
 * reaches the goal included. Terminates at x &gt;= 0.5 with v &gt;= 0, truncated after 200 steps. Observation: x and v.
 *
 * <p>Source: Moore (1990), as {@code MountainCar-v0} of Gymnasium has it; as there, the state is float64 and the observation
 * float32.
 */
class MountainCar extends BatchedEnvironment {
    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "MountainCar-v0", "Rock a car out of a valley", MountainCar::new)
            .withSolvedAt(-110)
            .withReference("random", -200);

    private static final double LEFT_END = -1.2;
    private static final double RIGHT_END = 0.6;
    private static final double MAX_SPEED = 0.07;
    private static final double START_LOW = -0.6;
    private static final double START_HIGH = -0.4;
    private static final double FORCE = 0.001;
    private static final double GRAVITY = 0.0025;
    private static final double GOAL = 0.5;

    final double[] position = newDoubles();
    final double[] velocity = newDoubles();

    MountainCar(int count) {
        this(count, new Space.Discrete(3), 200);
    }

    MountainCar(int count, Space actions, int maxSteps) {
        super(
                count,
                new Space.Box(
                        new float[] {(float) LEFT_END, (float) -MAX_SPEED},
                        new float[] {(float) RIGHT_END, (float) MAX_SPEED}),
                actions,
                maxSteps);
    }

    /** Of the kernels; what follows the goal is {@link MountainCarContinuous}'s. */
    private record Constants(
            double leftEnd,
            double rightEnd,
            double maxSpeed,
            double gravity,
            double startLow,
            double startHigh,
            double force,
            double goal,
            double goalReward,
            double forceCost,
            double maxForce) {}

    @Override
    protected DeviceForm deviceForm() {
        return deviceForm("mountain_car", FORCE, GOAL, 0, 0, 0);
    }

    /** A kernel with this valley. */
    static DeviceForm deviceForm(
            String kernel, double force, double goal, double goalReward, double forceCost, double maxForce) {
        return new DeviceForm(
                kernel,
                new Constants(
                        LEFT_END,
                        RIGHT_END,
                        MAX_SPEED,
                        GRAVITY,
                        START_LOW,
                        START_HIGH,
                        force,
                        goal,
                        goalReward,
                        forceCost,
                        maxForce));
    }

    @Override
    protected final void begin(int i, float[] observations) {
        position[i] = uniform(i, START_LOW, START_HIGH);
        velocity[i] = 0;
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < position.length; i++) {
            result.rewards()[i] = -1;
            result.terminated()[i] = move(i, (choices[i] - 1) * FORCE, GOAL, result.observations());
        }
    }

    /** Moves car {@code i} under an acceleration, and shows where it is. Returns whether that is the goal. */
    final boolean move(int i, double acceleration, double goal, float[] observations) {
        double v = velocity[i] + acceleration - GRAVITY * Math.cos(3 * position[i]);
        v = Math.max(-MAX_SPEED, Math.min(MAX_SPEED, v));
        double x = Math.max(LEFT_END, Math.min(RIGHT_END, position[i] + v));
        v = x == LEFT_END ? Math.max(0, v) : v;
        position[i] = x;
        velocity[i] = v;
        observe(i, observations);
        return x >= goal && v >= 0;
    }

    private void observe(int i, float[] observations) {
        observations[2 * i] = (float) position[i];
        observations[2 * i + 1] = (float) velocity[i];
    }

    @Override
    public Drawable drawable(int i) {
        return Mechanics.hill(() -> position[i], LEFT_END, RIGHT_END, GOAL, x -> Math.sin(3 * x));
    }
}
