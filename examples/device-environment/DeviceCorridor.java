// SPDX-License-Identifier: Apache-2.0
import org.fovea.cli.Fovea;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/** A corridor with wind: walk from a random place to the right end. The kernel in corridor.cu has the same rules. */
public final class DeviceCorridor extends BatchedEnvironment {
    public static final EnvironmentSpec SPEC =
            EnvironmentSpec.ofBatches("Corridor-v0", "Walk to the right end, against the wind", DeviceCorridor::new);

    private static final double LENGTH = 4;
    private static final double PACE = 0.5;
    private static final double GUST = 0.75;
    private static final float STEP_COST = 0.01f;

    private final double[] place = newDoubles();
    private final int[] gusts = newInts();

    /** The kernel's, in its order. */
    private record Constants(double length, double pace, double gust, float stepCost) {}

    DeviceCorridor(int count) {
        super(count, new Space.Box(2, 0, 100), new Space.Discrete(2), 50); // left, right; 50 steps at most
    }

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("corridor", new Constants(LENGTH, PACE, GUST, STEP_COST));
    }

    @Override
    protected void begin(int i, float[] observations) {
        place[i] = uniform(i, 0, LENGTH / 2);
        gusts[i] = 0;
        observe(i, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < count(); i++) {
            double wind = 0;
            if (below(i, 4) == 0) {
                wind = uniform(i, -GUST, GUST);
                gusts[i]++;
            }
            place[i] = Math.max(0, place[i] + (choices[i] == 1 ? PACE : -PACE) + wind);
            result.terminated()[i] = place[i] >= LENGTH;
            result.rewards()[i] = result.terminated()[i] ? 1 : -STEP_COST;
            observe(i, result.observations());
        }
    }

    private void observe(int i, float[] observations) {
        observations[2 * i] = (float) (place[i] / LENGTH);
        observations[2 * i + 1] = gusts[i];
    }

    public static void main(String[] arguments) {
        Environments.register(SPEC);
        Fovea.main(arguments);
    }
}
