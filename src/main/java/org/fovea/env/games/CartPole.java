// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.Arrays;
import java.util.Map;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * Balance a pole on a cart by pushing the cart left (0) or right (1).
 *
 * <p>State x, x', theta, theta', each uniform in (-0.05, 0.05) at first; explicit Euler steps of 0.02 s under a force of
 * 10 N. Reward 1 for every step, the failing one included. Terminates beyond |x| = 2.4 or |theta| = 12 degrees,
 * truncated after 500 steps. Observation: the state.
 *
 * <p>Source: Barto, Sutton and Anderson (1983), as {@code CartPole-v1} of Gymnasium has it; as there, the state is
 * float64 and the observation float32.
 */
class CartPole extends BatchedEnvironment {
    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "CartPole-v1", "Balance a pole on a cart", CartPole::new)
            .withSolvedAt(475)
            .withReference("optimum", 500)
            .withReference("random", 22)
            .withTuned("ppo", Map.of("steps", "100000"))
            .withTuned("ppo", "mlp", Map.of("envs", "8", "rollout_steps", "32", "epochs", "20", "minibatches", "1"))
            .withTuned("ppo", "mlp", Map.of("gamma", "0.98", "gae_lambda", "0.8", "entropy_coef", "0"))
            .withTuned("ppo", "mlp", Map.of("normalize_observations", "false", "normalize_rewards", "false"));

    private static final double GRAVITY = 9.8;
    private static final double POLE_MASS = 0.1;
    private static final double TOTAL_MASS = 1.0 + POLE_MASS;
    private static final double HALF_LENGTH = 0.5;
    private static final double POLE_MASS_LENGTH = POLE_MASS * HALF_LENGTH;
    private static final double FORCE = 10.0;
    private static final double TIME_STEP = 0.02;
    private static final double START = 0.05;
    static final double MAX_POSITION = 2.4;
    static final double MAX_ANGLE = 12 * 2 * Math.PI / 360;
    static final int SIZE = 4;

    final double[] position = newDoubles();
    final double[] velocity = newDoubles();
    final double[] angle = newDoubles();
    final double[] angularVelocity = newDoubles();

    CartPole(int count) {
        this(count, new Space.Box(SIZE, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY), 500);
    }

    /** One of which something else is shown, or for another time. */
    CartPole(int count, Space observations, int timeLimit) {
        super(count, observations, new Space.Discrete(2), timeLimit);
    }

    /** Of the kernels. */
    record Constants(
            double gravity,
            double poleMass,
            double totalMass,
            double halfLength,
            double poleMassLength,
            double force,
            double timeStep,
            double maxPosition,
            double maxAngle,
            double start) {}

    /** What they have of this. */
    static Constants constants() {
        return new Constants(
                GRAVITY,
                POLE_MASS,
                TOTAL_MASS,
                HALF_LENGTH,
                POLE_MASS_LENGTH,
                FORCE,
                TIME_STEP,
                MAX_POSITION,
                MAX_ANGLE,
                START);
    }

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("cart_pole", constants());
    }

    @Override
    protected void begin(int i, float[] observations) {
        position[i] = uniform(i, -START, START);
        velocity[i] = uniform(i, -START, START);
        angle[i] = uniform(i, -START, START);
        angularVelocity[i] = uniform(i, -START, START);
        observations[SIZE * i] = (float) position[i];
        observations[SIZE * i + 1] = (float) velocity[i];
        observations[SIZE * i + 2] = (float) angle[i];
        observations[SIZE * i + 3] = (float) angularVelocity[i];
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        Arrays.fill(result.rewards(), 1);
        move(choices, result.observations(), result.terminated());
    }

    /**
     * Pushes every cart.
     *
     * @param observations the states, written, [count, 4]
     * @param terminated written, [count]
     */
    final void move(int[] choices, float[] observations, boolean[] terminated) {
        for (int i = 0; i < position.length; i++) {
            double theta = angle[i];
            double thetaDot = angularVelocity[i];
            double sin = Math.sin(theta);
            double cos = Math.cos(theta);
            double force = choices[i] == 1 ? FORCE : -FORCE;
            double pushed = (force + POLE_MASS_LENGTH * (thetaDot * thetaDot) * sin) / TOTAL_MASS;
            double angularAcceleration =
                    (GRAVITY * sin - cos * pushed) / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / TOTAL_MASS));
            double acceleration = pushed - POLE_MASS_LENGTH * angularAcceleration * cos / TOTAL_MASS;

            double x = position[i] + TIME_STEP * velocity[i];
            double xDot = velocity[i] + TIME_STEP * acceleration;
            theta += TIME_STEP * thetaDot;
            thetaDot += TIME_STEP * angularAcceleration;
            position[i] = x;
            velocity[i] = xDot;
            angle[i] = theta;
            angularVelocity[i] = thetaDot;

            observations[SIZE * i] = (float) x;
            observations[SIZE * i + 1] = (float) xDot;
            observations[SIZE * i + 2] = (float) theta;
            observations[SIZE * i + 3] = (float) thetaDot;
            terminated[i] = Math.abs(x) > MAX_POSITION || Math.abs(theta) > MAX_ANGLE;
        }
    }

    @Override
    public Drawable drawable(int i) {
        return Mechanics.cartPole(() -> position[i], () -> angle[i], MAX_POSITION);
    }
}
