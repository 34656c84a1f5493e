// SPDX-License-Identifier: Apache-2.0
package cloud;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.env.CallbackEnvironment;
import org.fovea.env.Decider;
import org.fovea.env.Space;

/** The data centre as an environment: an action is the host that a job is placed on. */
final class CloudScheduling extends CallbackEnvironment {
    /** A file for the outcome of each episode. */
    private static final String RESULTS = System.getProperty("cloud.results");

    private static final int JOB_FEATURES = 4;
    private static final int HOST_FEATURES = 8;
    private static final int SIZE = JOB_FEATURES + DataCenter.MACHINES * HOST_FEATURES + 1;

    @Override
    public Space observationSpace() {
        Map<String, Space> parts = new LinkedHashMap<>();
        parts.put("job", new Space.Box(JOB_FEATURES, 0, Float.POSITIVE_INFINITY));
        parts.put("hosts", new Space.Entities(DataCenter.MACHINES, HOST_FEATURES));
        return new Space.Dict(parts);
    }

    @Override
    public Space actionSpace() {
        return new Space.EntityChoice("hosts", DataCenter.MACHINES);
    }

    @Override
    public boolean masksActions() {
        return true;
    }

    @Override
    protected void run(Decider decider, long seed) {
        DataCenter center = new DataCenter(
                seed,
                (now, job, waiting) -> decider.decide(observation(now, job, waiting), mask(now, job))
                        .choice(),
                cents -> decider.reward(-cents / DataCenter.JOBS));
        center.run();
        if (RESULTS != null) {
            write(seed, center);
        }
    }

    static float[] observation(DataCenter center, Job job, int waiting) {
        float[] numbers = new float[SIZE];
        numbers[0] = job.cores();
        numbers[1] = (float) Math.log(job.work());
        numbers[2] = waiting;
        numbers[3] = (float) (center.now() - job.arrival());
        int at = JOB_FEATURES;
        for (Machine machine : center.machines) {
            numbers[at] = machine.free;
            numbers[at + 1] = machine.cores;
            numbers[at + 2] = machine.speed;
            numbers[at + 3] = machine.isOn() ? 1 : 0;
            numbers[at + 4] = (float) machine.secondsLeft(center.now());
            numbers[at + 5] = (float) machine.seconds(job);
            numbers[at + 6] = (float) machine.addedCost(job, center.now());
            numbers[at + 7] = machine.free - job.cores();
            at += HOST_FEATURES;
        }
        numbers[at] = DataCenter.MACHINES;
        return numbers;
    }

    static boolean[] mask(DataCenter center, Job job) {
        boolean[] fits = new boolean[DataCenter.MACHINES];
        for (int i = 0; i < fits.length; i++) {
            fits[i] = center.machines.get(i).fits(job);
        }
        return fits;
    }

    private static synchronized void write(long seed, DataCenter center) {
        try {
            Files.writeString(
                    Path.of(RESULTS),
                    seed + "," + center.cost() + "," + center.meanWait() + "," + center.objective() + "\n",
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
