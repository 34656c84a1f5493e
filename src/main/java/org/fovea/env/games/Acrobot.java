// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.Map;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * Swing the free end of two links above a line one link above the pivot, by a torque of -1, 0 or 1 (choices 0, 1, 2) at the
 * joint between them.
 *
 * <p>State theta1 (0 hangs down), theta2 (relative to the first link), theta1' and theta2', each uniform in (-0.1, 0.1) at
 * first. Both links have length, mass and moment of inertia 1 and their centre of mass in the middle. One Runge-Kutta step of
 * fourth order and 0.2 s; then angles are wrapped to [-pi, pi] and velocities clipped to 4 pi and 9 pi. Reward -1, or 0 for
 * the step that reaches {@code -cos theta1 - cos(theta1 + theta2) > 1}, which terminates; truncated after 500 steps.
 * Observation: cosine and sine of theta1, of theta2, then both velocities.
 *
 * <p>Source: Sutton (1996) with the equations of motion of Sutton and Barto's book, as {@code Acrobot-v1} of Gymnasium has
 * it; as there, the state is float64 and the observation float32.
 */
final class Acrobot extends BatchedEnvironment {
    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "Acrobot-v1", "Swing up two links by the joint between them", Acrobot::new)
            .withSolvedAt(-100)
            .withTuned("trpo", Map.of("max_kl", "0.03", "anneal_max_kl", "true", "gae_lambda", "0.8"));

    private static final double GRAVITY = 9.8;
    private static final double CENTRE = 0.5;
    private static final double INERTIA = 1;
    private static final double TIME_STEP = 0.2;
    private static final double MAX_VELOCITY_1 = 4 * Math.PI;
    private static final double MAX_VELOCITY_2 = 9 * Math.PI;
    private static final double START = 0.1;
    private static final int SIZE = 6;

    final double[] angle1 = newDoubles();
    final double[] angle2 = newDoubles();
    final double[] velocity1 = newDoubles();
    final double[] velocity2 = newDoubles();

    private final double[] now = new double[4];
    private final double[] slope = new double[4];
    private final double[] probe = new double[4];
    private final double[] sum = new double[4];

    Acrobot(int count) {
        super(count, new Space.Box(SIZE, (float) -MAX_VELOCITY_2, (float) MAX_VELOCITY_2), new Space.Discrete(3), 500);
    }

    /** Of the kernel. */
    private record Constants(
            double gravity,
            double centre,
            double inertia,
            double timeStep,
            double maxVelocity1,
            double maxVelocity2,
            double start) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm(
                "acrobot", new Constants(GRAVITY, CENTRE, INERTIA, TIME_STEP, MAX_VELOCITY_1, MAX_VELOCITY_2, START));
    }

    @Override
    protected void begin(int i, float[] observations) {
        angle1[i] = uniform(i, -START, START);
        angle2[i] = uniform(i, -START, START);
        velocity1[i] = uniform(i, -START, START);
        velocity2[i] = uniform(i, -START, START);
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        float[] rewards = result.rewards();
        boolean[] terminated = result.terminated();
        for (int i = 0; i < angle1.length; i++) {
            integrate(i, choices[i] - 1);
            observe(i, result.observations());
            terminated[i] = -Math.cos(angle1[i]) - Math.cos(angle1[i] + angle2[i]) > 1;
            rewards[i] = terminated[i] ? 0 : -1;
        }
    }

    private void integrate(int i, double torque) {
        now[0] = angle1[i];
        now[1] = angle2[i];
        now[2] = velocity1[i];
        now[3] = velocity2[i];
        slope(now, torque);
        System.arraycopy(slope, 0, sum, 0, 4);
        probe(TIME_STEP / 2, torque, 2);
        probe(TIME_STEP / 2, torque, 2);
        probe(TIME_STEP, torque, 1);
        angle1[i] = wrap(now[0] + TIME_STEP / 6 * sum[0]);
        angle2[i] = wrap(now[1] + TIME_STEP / 6 * sum[1]);
        velocity1[i] = clip(now[2] + TIME_STEP / 6 * sum[2], MAX_VELOCITY_1);
        velocity2[i] = clip(now[3] + TIME_STEP / 6 * sum[3], MAX_VELOCITY_2);
    }

    /** The slope where the last one leads in {@code time}, added to the sum with a weight. */
    private void probe(double time, double torque, double weight) {
        for (int k = 0; k < 4; k++) {
            probe[k] = now[k] + time * slope[k];
        }
        slope(probe, torque);
        for (int k = 0; k < 4; k++) {
            sum[k] += weight * slope[k];
        }
    }

    private void slope(double[] state, double torque) {
        double sin2 = Math.sin(state[1]);
        double cos2 = Math.cos(state[1]);
        double dot1 = state[2];
        double dot2 = state[3];
        double d1 = CENTRE * CENTRE + (1 + CENTRE * CENTRE + 2 * CENTRE * cos2) + 2 * INERTIA;
        double d2 = CENTRE * CENTRE + CENTRE * cos2 + INERTIA;
        double phi2 = CENTRE * GRAVITY * Math.cos(state[0] + state[1] - Math.PI / 2);
        double phi1 = -CENTRE * (dot2 * dot2) * sin2
                - 2 * CENTRE * dot2 * dot1 * sin2
                + (CENTRE + 1) * GRAVITY * Math.cos(state[0] - Math.PI / 2)
                + phi2;
        slope[0] = dot1;
        slope[1] = dot2;
        slope[3] = (torque + d2 / d1 * phi1 - CENTRE * (dot1 * dot1) * sin2 - phi2)
                / (CENTRE * CENTRE + INERTIA - d2 * d2 / d1);
        slope[2] = -(d2 * slope[3] + phi1) / d1;
    }

    private void observe(int i, float[] observations) {
        int row = SIZE * i;
        observations[row] = (float) Math.cos(angle1[i]);
        observations[row + 1] = (float) Math.sin(angle1[i]);
        observations[row + 2] = (float) Math.cos(angle2[i]);
        observations[row + 3] = (float) Math.sin(angle2[i]);
        observations[row + 4] = (float) velocity1[i];
        observations[row + 5] = (float) velocity2[i];
    }

    private static double wrap(double angle) {
        double wrapped = angle;
        while (wrapped > Math.PI) {
            wrapped -= 2 * Math.PI;
        }
        while (wrapped < -Math.PI) {
            wrapped += 2 * Math.PI;
        }
        return wrapped;
    }

    private static double clip(double velocity, double limit) {
        return Math.max(-limit, Math.min(limit, velocity));
    }

    @Override
    public Drawable drawable(int i) {
        return Mechanics.links(75, () -> angle1[i], () -> angle2[i]);
    }
}
