// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.Arrays;
import org.fovea.env.DeviceForm;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * {@link Pendulum} of which the angle is shown and not its velocity, with noise or without.
 *
 * <p>Reward {@code (1 + r / 8.1368022) / T} with Pendulum's r, which lies in [-16.2736044, 0]. Truncated after T steps.
 * Observation: cos theta and sin theta, to which noise of a normal distribution is added that is clipped to [-1, 1].
 *
 * <p>Source: POPGym, Morad et al. (2023). {@code PositionOnlyPendulum}: Easy has T = 200, Medium 150, Hard 100. {@code
 * NoisyPositionOnlyPendulum}: T = 200 and a standard deviation of 0.1, 0.2 and 0.3.
 */
final class PartialPendulum extends Pendulum {
    private static final double HALF_RANGE = 8.1368022;

    private final int steps;
    private final double noise;
    private final float[] states;

    static EnvironmentSpec positionOnly(Level level) {
        int steps = level.of(200, 150, 100);
        return level.spec(
                        "PositionOnlyPendulum",
                        "Swing a pendulum up without seeing its velocity",
                        count -> new PartialPendulum(count, steps, 0))
                .withReference("optimum, about", level.of(0.92, 0.89, 0.83))
                .withReference("random", level.of(0.24, 0.25, 0.23));
    }

    static EnvironmentSpec noisyPositionOnly(Level level) {
        double noise = level.of(0.1, 0.2, 0.3);
        return level.spec(
                        "NoisyPositionOnlyPendulum",
                        "Swing a pendulum up seeing its angle with noise",
                        count -> new PartialPendulum(count, 200, noise))
                .withReference("random", 0.24);
    }

    PartialPendulum(int count, int steps, double noise) {
        super(count, new Space.Box(2, -1, 1), steps);
        this.steps = steps;
        this.noise = noise;
        this.states = new float[count * SIZE];
    }

    /** Of the kernel. */
    private record Constants(Pendulum.Constants pendulum, double noise, double halfRange, int steps) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("partial_pendulum", new Constants(constants(), noise, HALF_RANGE, steps));
    }

    @Override
    protected void begin(int i, float[] observations) {
        super.begin(i, states);
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        float[] rewards = result.rewards();
        move(values, states, rewards);
        Arrays.fill(result.terminated(), false);
        for (int i = 0; i < count(); i++) {
            rewards[i] = (float) ((1 + rewards[i] / HALF_RANGE) / steps);
            observe(i, result.observations());
        }
    }

    private void observe(int i, float[] observations) {
        for (int j = 0; j < 2; j++) {
            float shown = states[i * SIZE + j];
            if (noise > 0) {
                shown += (float) (noise * normal(i));
                shown = Math.max(-1, Math.min(1, shown));
            }
            observations[2 * i + j] = shown;
        }
    }
}
