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
 * Swing a pendulum up and hold it there with a torque u from -2 to 2, clipped.
 *
 * <p>State theta (0 is up) uniform in (-pi, pi) and theta' uniform in (-1, 1) at first. Reward of a step
 * {@code -(theta^2 + 0.1 theta'^2 + 0.001 u^2)} with the state before it and theta in [-pi, pi). Then {@code theta' += (15
 * sin theta + 3 u) 0.05}, clipped to 8, and {@code theta += 0.05 theta'}. Never terminates, truncated after 200 steps.
 * Observation: cos theta, sin theta, theta'. There is no agreed score that counts as solved.
 *
 * <p>Source: {@code Pendulum-v1} of Gymnasium; as there, the state is float64 and the observation float32.
 */
class Pendulum extends BatchedEnvironment {
    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "Pendulum-v1", "Swing a pendulum up, continuous torque", Pendulum::new)
            .withTuned("ppo", Map.of("steps", "100000", "envs", "8", "rollout_steps", "256", "epochs", "10"))
            .withTuned("ppo", Map.of("gamma", "0.9", "gae_lambda", "0.9", "normalize_observations", "false"))
            .withTuned("ppo", "attention", Map.of("minibatches", "8"))
            .withTuned("ppo", "mlp", Map.of("minibatches", "32"))
            .withTuned("trpo", Map.of("rollout_steps", "256", "value_minibatches", "32"))
            .withTuned("trpo", Map.of("max_kl", "0.06", "anneal_max_kl", "true"))
            .withTuned("trpo", Map.of("gamma", "0.9", "gae_lambda", "0.8", "normalize_observations", "false"));

    private static final double MAX_TORQUE = 2;
    private static final double MAX_SPEED = 8;
    private static final double TIME_STEP = 0.05;
    private static final double GRAVITY = 15;
    private static final double TORQUE_GAIN = 3;
    private static final double SPEED_COST = 0.1;
    private static final double TORQUE_COST = 0.001;
    private static final double START_SPEED = 1;
    static final int SIZE = 3;

    final double[] angle = newDoubles();
    final double[] angularVelocity = newDoubles();

    Pendulum(int count) {
        this(count, new Space.Box(SIZE, (float) -MAX_SPEED, (float) MAX_SPEED), 200);
    }

    /** One of which something else is shown, or for another time. */
    Pendulum(int count, Space observations, int timeLimit) {
        super(count, observations, new Space.Box(1, (float) -MAX_TORQUE, (float) MAX_TORQUE), timeLimit);
    }

    /** Of the kernels. */
    record Constants(
            double maxTorque,
            double maxSpeed,
            double timeStep,
            double gravity,
            double torqueGain,
            double speedCost,
            double torqueCost,
            double startSpeed) {}

    /** What they have of this. */
    static Constants constants() {
        return new Constants(
                MAX_TORQUE, MAX_SPEED, TIME_STEP, GRAVITY, TORQUE_GAIN, SPEED_COST, TORQUE_COST, START_SPEED);
    }

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("pendulum", constants());
    }

    @Override
    protected void begin(int i, float[] observations) {
        angle[i] = uniform(i, -Math.PI, Math.PI);
        angularVelocity[i] = uniform(i, -START_SPEED, START_SPEED);
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        move(values, result.observations(), result.rewards());
        Arrays.fill(result.terminated(), false);
    }

    /**
     * Turns every pendulum.
     *
     * @param observations the states, written, [count, 3]
     * @param rewards written, [count]
     */
    final void move(float[] values, float[] observations, float[] rewards) {
        for (int i = 0; i < angle.length; i++) {
            double torque = Math.max(-MAX_TORQUE, Math.min(MAX_TORQUE, values[i]));
            double theta = angle[i];
            double thetaDot = angularVelocity[i];
            double fromUpright = wrap(theta);
            rewards[i] = (float)
                    -(fromUpright * fromUpright + SPEED_COST * (thetaDot * thetaDot) + TORQUE_COST * (torque * torque));
            thetaDot += (GRAVITY * Math.sin(theta) + TORQUE_GAIN * torque) * TIME_STEP;
            thetaDot = Math.max(-MAX_SPEED, Math.min(MAX_SPEED, thetaDot));
            angle[i] = theta + thetaDot * TIME_STEP;
            angularVelocity[i] = thetaDot;
            observe(i, observations);
        }
    }

    private void observe(int i, float[] observations) {
        observations[SIZE * i] = (float) Math.cos(angle[i]);
        observations[SIZE * i + 1] = (float) Math.sin(angle[i]);
        observations[SIZE * i + 2] = (float) angularVelocity[i];
    }

    /** The angle in [-pi, pi). */
    private static double wrap(double angle) {
        double fromPi = (angle + Math.PI) % (2 * Math.PI);
        return (fromPi < 0 ? fromPi + 2 * Math.PI : fromPi) - Math.PI;
    }

    @Override
    public Drawable drawable(int i) {
        // Measured from upright; a link is from hanging.
        return Mechanics.links(130, () -> angle[i] + Math.PI);
    }
}
