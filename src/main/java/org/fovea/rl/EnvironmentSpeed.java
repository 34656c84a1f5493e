package org.fovea.rl;

import java.util.concurrent.atomic.LongAdder;
import org.fovea.backend.Backend;
import org.fovea.backend.Philox;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;

/** Measures how fast environments step when nothing else is done. */
final class EnvironmentSpeed {
    private static final long WARM_UP_NANOS = 100_000_000L;
    private static final long MEASURED_NANOS = 200_000_000L;
    private static final int STEPS_BETWEEN_LOOKS = 64;

    private EnvironmentSpeed() {}

    /** Steps per second of all environments of a run together, with random actions, dealt out as in training. */
    static double measure(Backend backend, RunSpec spec) {
        EnvironmentSpec kind = Environments.get(spec.environment());
        int parts = Cut.collectors(backend, spec.environments());
        play(backend, kind, spec, parts, WARM_UP_NANOS);
        return play(backend, kind, spec, parts, MEASURED_NANOS);
    }

    private static double play(Backend backend, EnvironmentSpec kind, RunSpec spec, int parts, long nanos) {
        LongAdder steps = new LongAdder();
        long start = System.nanoTime();
        // Shards may run one after another, so each gets its own time and the rate is that of all the time spent.
        backend.forEachShard(
                parts,
                part -> steps.add(playPart(
                        kind.create(Cut.size(spec.environments(), parts, part)),
                        spec.seed(),
                        Cut.start(spec.environments(), parts, part),
                        nanos / parts)));
        return steps.sum() / ((System.nanoTime() - start) * 1e-9);
    }

    private static long playPart(VectorEnvironment environment, long seed, int first, long nanos) {
        int count = environment.count();
        Space space = environment.actionSpace();
        int size = environment.observationSpace().size();
        StepBatch result = StepBatch.allocate(count, size);
        int[] choices = new int[STEPS_BETWEEN_LOOKS * count];
        float[] values = new float[count * space.size()];
        if (space instanceof Space.Discrete discrete) {
            for (int i = 0; i < choices.length; i++) {
                choices[i] = Math.floorMod(Philox.bits(seed, first, i), discrete.n());
            }
        } else {
            for (int i = 0; i < values.length; i++) {
                values[i] = 2 * Philox.uniform(seed, first, i) - 1;
            }
        }
        int[] stepChoices = new int[count];
        environment.reset(seed, first, result.observations());
        long steps = 0;
        long start = System.nanoTime();
        while (System.nanoTime() - start < nanos) {
            for (int i = 0; i < STEPS_BETWEEN_LOOKS; i++) {
                System.arraycopy(choices, i * count, stepChoices, 0, count);
                environment.step(stepChoices, values, result);
            }
            steps += (long) STEPS_BETWEEN_LOOKS * count;
        }
        return steps;
    }
}
