// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import org.fovea.env.DeviceForm;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * {@link CartPole} of which two of the four variables are shown, with noise or without.
 *
 * <p>Reward 1 / T for every step, truncated after T steps. Observation: x and theta, to which noise of a normal distribution is
 * added that is clipped to twice the limits at which an episode terminates; or x' and theta', but x and theta at reset, as in the
 * source.
 *
 * <p>Source: POPGym, Morad et al. (2023). {@code PositionOnlyCartPole} and {@code VelocityOnlyCartPole}: Easy has T = 200,
 * Medium 400, Hard 600. {@code NoisyPositionOnlyCartPole}: T = 200 and a standard deviation of 0.1, 0.2 and 0.3.
 */
final class PartialCartPole extends CartPole {
    private static final float[] LIMITS = {(float) (2 * MAX_POSITION), (float) (2 * MAX_ANGLE)};

    /** Of the two variables in the state; the positions are the first and third. */
    private final int first;

    private final double noise;
    private final float reward;
    private final float[] states;

    static EnvironmentSpec positionOnly(Level level) {
        int steps = level.of(200, 400, 600);
        return level.spec(
                        "PositionOnlyCartPole",
                        "Balance a pole without seeing velocities",
                        count -> new PartialCartPole(count, 0, steps, 0))
                .withSolvedAt(0.95)
                .withReference("optimum", 1)
                .withReference("best without memory", level.of(0.21, 0.10, 0.07))
                .withReference("random", level.of(0.11, 0.06, 0.04));
    }

    static EnvironmentSpec velocityOnly(Level level) {
        int steps = level.of(200, 400, 600);
        return level.spec(
                        "VelocityOnlyCartPole",
                        "Balance a pole seeing velocities alone",
                        count -> new PartialCartPole(count, 1, steps, 0))
                .withSolvedAt(0.95)
                .withReference("optimum", 1)
                .withReference("random", level.of(0.11, 0.06, 0.04));
    }

    static EnvironmentSpec noisyPositionOnly(Level level) {
        double noise = level.of(0.1, 0.2, 0.3);
        return level.spec(
                        "NoisyPositionOnlyCartPole",
                        "Balance a pole seeing its position with noise",
                        count -> new PartialCartPole(count, 0, 200, noise))
                .withReference("sign of the angle", level.of(0.24, 0.21, 0.17))
                .withReference("random", 0.11);
    }

    /** @param first of the two variables in the state, 0 for positions, 1 for velocities */
    PartialCartPole(int count, int first, int steps, double noise) {
        super(count, first == 0 ? positions() : velocities(), steps);
        this.first = first;
        this.noise = noise;
        this.reward = 1f / steps;
        this.states = new float[count * SIZE];
    }

    private static Space positions() {
        return new Space.Box(new float[] {-LIMITS[0], -LIMITS[1]}, LIMITS);
    }

    private static Space velocities() {
        return new Space.Box(2, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
    }

    /** Of the kernel. */
    private record Constants(
            CartPole.Constants cart,
            double noise,
            float limitOfPosition,
            float limitOfAngle,
            float reward,
            int first) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm(
                "partial_cart_pole", new Constants(constants(), noise, LIMITS[0], LIMITS[1], reward, first));
    }

    @Override
    protected void begin(int i, float[] observations) {
        super.begin(i, states);
        observe(i, 0, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        move(choices, states, result.terminated());
        for (int i = 0; i < count(); i++) {
            result.rewards()[i] = reward;
            observe(i, first, result.observations());
        }
    }

    private void observe(int i, int from, float[] observations) {
        for (int j = 0; j < 2; j++) {
            float shown = states[i * SIZE + from + 2 * j];
            if (noise > 0) {
                shown += (float) (noise * normal(i));
                shown = Math.max(-LIMITS[j], Math.min(LIMITS[j], shown));
            }
            observations[2 * i + j] = shown;
        }
    }
}
