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

    private static final int JOB_FEATURES = 6;
    private static final int HOST_FEATURES = 12;
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

    /**
     * Times and costs, which are spread over some powers of ten, as logarithms.
     *
     * @param waiting jobs behind this one
     */
    static float[] observation(DataCenter center, Job job, int waiting) {
        double now = center.now();
        float[] numbers = new float[SIZE];
        numbers[0] = job.cores();
        numbers[1] = log(job.work());
        numbers[2] = log(waiting);
        numbers[3] = log(now - job.arrival());
        numbers[4] = log(center.meanGap());
        numbers[5] = center.arrived();
        int at = JOB_FEATURES;
        for (Machine machine : center.machines) {
            double left = machine.secondsLeft(now);
            double seconds = machine.seconds(job);
            numbers[at] = machine.cores;
            numbers[at + 1] = machine.speed;
            numbers[at + 2] = machine.isOn() ? 1 : 0;
            numbers[at + 3] = machine.free - job.cores();
            numbers[at + 4] = machine.free == job.cores() ? 1 : 0;
            numbers[at + 5] = log(left);
            numbers[at + 6] = log(seconds);
            numbers[at + 7] = log(Math.max(0, left - seconds));
            numbers[at + 8] = log(Math.max(0, seconds - left));
            numbers[at + 9] = log(100 * machine.addedCost(job, now));
            numbers[at + 10] = (float) (machine.addedCost(job, now) - machine.share(job));
            numbers[at + 11] = (float) (machine.coreSecondsLeft(now) / (machine.cores * Math.max(1, left)));
            at += HOST_FEATURES;
        }
        numbers[at] = DataCenter.MACHINES;
        return numbers;
    }

    private static float log(double amount) {
        return (float) Math.log1p(amount);
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
