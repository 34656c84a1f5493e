// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import org.fovea.env.Action;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.jspecify.annotations.Nullable;

/**
 * Give each job to a machine that is free, at a speed that is worth its power: two choices at once, some of them forbidden.
 *
 * <p>Four machines. In each of 50 steps a job of size 1 to 12 comes, uniformly drawn. The action is the machine that takes it,
 * 0 to 3, or 4 to turn it away; and its speed less 1, 0 to 2. A machine at speed v does v of a job's size in each step, from
 * this step on, and is free when nothing is left. A busy machine may not be chosen, nor speed 3 while another machine runs at it.
 * Reward, over 50: 1 for a job that was taken, less 0.1 for each step of it by which speed is above 1 ({@code 0.1 (v - 1)
 * ceil(size / v)}); 0 for one turned away.
 *
 * <p>Observation: size of the job / 12; what is left of each machine's job / 12; 1 if one runs at speed 3, else 0. Truncated
 * after 50 steps.
 */
final class Dispatch extends BatchedEnvironment {
    private static final int MACHINES = 4;
    private static final int SPEEDS = 3;
    private static final int LARGEST = 12;
    private static final int STEPS = 50;
    private static final double POWER_PRICE = 0.1;
    private static final int MASK = MACHINES + 1 + SPEEDS;
    private static final int SIZE = MACHINES + 2;

    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "Dispatch-v0", "Give jobs to machines: two choices, some forbidden", Dispatch::new)
            .withReference("any free machine, slowly", 0.61)
            .withReference("random", 0.46);

    private final int[] job = newInts();
    private final int[] left = newInts(MACHINES);
    private final int[] speed = newInts(MACHINES);

    Dispatch(int count) {
        super(count, new Space.Box(SIZE, 0, 1), new Space.MultiDiscrete(MACHINES + 1, SPEEDS), STEPS);
    }

    /** Of the kernel. */
    private record Constants(int machines, int speeds, int largest, int steps, double powerPrice) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("dispatch", new Constants(MACHINES, SPEEDS, LARGEST, STEPS, POWER_PRICE));
    }

    @Override
    protected void begin(int i, float[] observations) {
        Arrays.fill(left, i * MACHINES, (i + 1) * MACHINES, 0);
        nextJob(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < job.length; i++) {
            int machine = choices[2 * i];
            int v = choices[2 * i + 1] + 1;
            double reward = 0;
            if (machine < MACHINES) {
                if (left[i * MACHINES + machine] > 0 || (v == SPEEDS && anyAtFullSpeed(i))) {
                    throw new IllegalArgumentException("choice [" + machine + ", " + (v - 1) + "] of environment " + i
                            + " of the batch is forbidden");
                }
                left[i * MACHINES + machine] = job[i];
                speed[i * MACHINES + machine] = v;
                int steps = (job[i] + v - 1) / v;
                reward = 1 - POWER_PRICE * (v - 1) * steps;
            }
            for (int m = i * MACHINES; m < (i + 1) * MACHINES; m++) {
                left[m] = Math.max(0, left[m] - speed[m]);
            }
            result.rewards()[i] = (float) (reward / STEPS);
            result.terminated()[i] = false;
            nextJob(i, result.observations());
        }
    }

    private void nextJob(int i, float[] observations) {
        job[i] = 1 + below(i, LARGEST);
        int row = i * SIZE;
        observations[row] = (float) job[i] / LARGEST;
        for (int m = 0; m < MACHINES; m++) {
            observations[row + 1 + m] = (float) left[i * MACHINES + m] / LARGEST;
        }
        observations[row + 1 + MACHINES] = anyAtFullSpeed(i) ? 1 : 0;
    }

    private boolean anyAtFullSpeed(int i) {
        boolean any = false;
        for (int m = i * MACHINES; m < (i + 1) * MACHINES; m++) {
            any |= left[m] > 0 && speed[m] == SPEEDS;
        }
        return any;
    }

    @Override
    public boolean masksActions() {
        return true;
    }

    @Override
    public void actionMasks(boolean[] allowed) {
        Arrays.fill(allowed, true);
        for (int i = 0; i < job.length; i++) {
            for (int m = 0; m < MACHINES; m++) {
                allowed[i * MASK + m] = left[i * MACHINES + m] == 0;
            }
            allowed[(i + 1) * MASK - 1] = !anyAtFullSpeed(i);
        }
    }

    @Override
    public Drawable drawable(int i) {
        return new Board(1, MACHINES) {
            @Override
            Color colour(int row, int column) {
                int machine = i * MACHINES + column;
                return left[machine] == 0 ? EMPTY : speed[machine] == SPEEDS ? BAD : AGENT;
            }

            @Override
            String label(int row, int column) {
                return "" + left[i * MACHINES + column];
            }

            @Override
            String caption() {
                return "a job of " + job[i] + " waits; what each machine has left (red: at full speed)";
            }

            @Override
            public @Nullable Rectangle2D place(@Nullable Action last) {
                return last == null || last.choice(0) == MACHINES ? null : field(0, last.choice(0));
            }
        };
    }
}
