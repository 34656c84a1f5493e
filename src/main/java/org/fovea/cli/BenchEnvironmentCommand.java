// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Locale;
import java.util.Random;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.EnvironmentThreads;
import org.fovea.env.Environments;
import org.fovea.env.JoinedBatch;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Steps per second of an environment without a policy. */
@Command(
        name = "env",
        abbreviateSynopsis = true,
        header = "Measure steps per second of an environment, with random actions and no policy.",
        footerHeading = "%nExamples:%n",
        footer = {"  fovea bench env CartPole-v1 --envs 64", "  fovea bench env gym:CartPole-v1"})
final class BenchEnvironmentCommand implements Runnable {
    /** Actions that are drawn beforehand, so that drawing takes no time. */
    private static final int DRAWN = 64;

    private static final long SEED = 1;

    private final Terminal terminal;

    @Parameters(paramLabel = "NAME", description = "Environment, see fovea envs.")
    @SuppressWarnings("NullAway.Init")
    private String environment;

    @Option(names = "--envs", paramLabel = "N", description = "Environments side by side (default: 16).")
    private int count = 16;

    @Option(names = "--seconds", paramLabel = "S", description = "How long to measure (default: 3).")
    private double seconds = 3;

    @ArgGroup(validate = false, heading = "%nMore about the environment:%n")
    private EnvironmentOptions options = new EnvironmentOptions();

    @Mixin
    private StepTimeoutOption stepTimeout = new StepTimeoutOption();

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    BenchEnvironmentCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        if (count < 1) {
            throw new UsageException("--envs must be at least 1, got " + count);
        }
        if (!(seconds > 0)) {
            throw new UsageException("--seconds must be greater than 0, got " + seconds);
        }
        options.apply();
        stepTimeout.apply(terminal, () -> "Nothing was measured");
        EnvironmentSpec spec = Environments.get(String.valueOf(options.name(environment)));
        try (EnvironmentThreads threads = new EnvironmentThreads(options.environmentThreads(0))) {
            VectorEnvironment batch =
                    JoinedBatch.createAll(spec, threads, 1, count).get(0);
            try {
                measure(spec.name(), batch);
            } finally {
                Failures.reportClosing(batch::close, terminal);
            }
        }
    }

    private void measure(String name, VectorEnvironment batch) {
        RandomActions actions = new RandomActions(batch);
        StepBatch result = StepBatch.allocate(count, batch.observationSpace().size());
        batch.reset(SEED, 0, result.observations());
        // Until the virtual machine has compiled what it has to.
        play(actions, result, Math.min(seconds, 1));
        long start = System.nanoTime();
        long steps = play(actions, result, seconds);
        double nanos = System.nanoTime() - start;
        double stepsPerSecond = steps * count / (nanos * 1e-9);
        terminal.report(json)
                .printf(
                        Locale.ROOT,
                        "%s, %d environments: %s steps/s, %.1f us a step of all%n",
                        name,
                        count,
                        NumberFormats.count(stepsPerSecond),
                        nanos * 1e-3 / steps);
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("env", name)
                            .with("envs", count)
                            .with("sps", stepsPerSecond)
                            .with("us_per_step", nanos * 1e-3 / steps));
        }
    }

    private static long play(RandomActions actions, StepBatch result, double seconds) {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        long steps = 0;
        while (System.nanoTime() < end) {
            actions.step(steps++, result);
        }
        return steps;
    }

    /** Random actions, of which masks forbid none. */
    private static final class RandomActions {
        private final VectorEnvironment batch;
        private final int[] n;
        private final boolean[] allowed;
        private final int[][] choices = new int[DRAWN][];
        private final float[][] values = new float[DRAWN][];
        private final int[] allowedChoices;

        RandomActions(VectorEnvironment batch) {
            this.batch = batch;
            Schema schema = Schema.of(batch.actionSpace());
            n = schema.choices();
            allowed = batch.newActionMasks();
            allowedChoices = new int[batch.count() * n.length];
            Random random = new Random(SEED);
            for (int k = 0; k < DRAWN; k++) {
                choices[k] = new int[batch.count() * n.length];
                for (int j = 0; j < choices[k].length; j++) {
                    choices[k][j] = random.nextInt(n[j % n.length]);
                }
                values[k] = n.length > 0 ? new float[0] : values(schema.box().orElseThrow(), batch.count(), random);
            }
        }

        private static float[] values(Space.Box box, int count, Random random) {
            float[] low = box.low();
            float[] high = box.high();
            float[] values = new float[count * low.length];
            for (int j = 0; j < values.length; j++) {
                int i = j % low.length;
                float from = Math.max(low[i], Math.min(high[i] - 1, -1));
                float to = Math.min(high[i], Math.max(low[i] + 1, 1));
                values[j] = box.isBounded(i)
                        ? low[i] + random.nextFloat() * (high[i] - low[i])
                        : from + random.nextFloat() * (to - from);
            }
            return values;
        }

        void step(long number, StepBatch result) {
            int k = (int) (number % DRAWN);
            batch.step(allowed.length > 0 ? allowed(choices[k]) : choices[k], values[k], result);
        }

        /** The choice that is wanted, or the next that is allowed. */
        private int[] allowed(int[] wanted) {
            batch.actionMasks(allowed);
            int from = 0;
            for (int j = 0; j < wanted.length; j++) {
                int choices = n[j % n.length];
                int choice = wanted[j];
                while (!allowed[from + choice]) {
                    choice = (choice + 1) % choices;
                }
                allowedChoices[j] = choice;
                from += choices;
            }
            return allowedChoices;
        }
    }
}
