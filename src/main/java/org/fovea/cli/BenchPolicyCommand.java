// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.env.Environments;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.policy.Policy;
import org.fovea.policy.PolicySession;
import org.fovea.rl.config.Hyperparameters;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.policy.SavedPolicy;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** How long a policy takes to decide. */
@Command(
        name = "policy",
        sortOptions = false,
        abbreviateSynopsis = true,
        header = "Measure how long a policy takes to decide, on one core, and what it allocates.",
        footerHeading = "%nExamples:%n",
        footer = {"  fovea bench policy mlp", "  fovea bench policy runs/my-run --batch 64"})
final class BenchPolicyCommand implements Callable<Integer> {
    /** What a policy that has only a kind is shown. */
    private static final String ENVIRONMENT = "CartPole-v1";

    private static final Map<String, String> NETWORK =
            Map.of("layers", "2", "width", "64", "heads", "4", "window", "64");

    private static final int MOST_ROUNDS = 10;

    /** Observations that are drawn beforehand. */
    private static final int SHOWN = 64;

    private final Terminal terminal;

    @Parameters(
            paramLabel = "POLICY",
            description =
                    "A run directory, an exported file, or mlp, gru or attention: an untrained one of two layers of"
                            + " width 64, with a window of 64 steps.")
    @SuppressWarnings("NullAway.Init")
    private String policy;

    @Option(names = "--batch", paramLabel = "N", description = "Environments that act together (default: 1).")
    private int batch = 1;

    @Option(names = "--decisions", paramLabel = "N", description = "How many are timed (default: 50000).")
    private int decisions = 50_000;

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    BenchPolicyCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        if (batch < 1 || decisions < 1) {
            throw new UsageException("--batch and --decisions must be at least 1");
        }
        Policy measured = Files.exists(Path.of(policy)) ? Policy.load(Path.of(policy)) : untrained(policy);
        try (PolicySession session = measured.newSession(batch)) {
            measure(measured, session);
        }
        return 0;
    }

    private static Policy untrained(String kind) throws IOException {
        PolicyKind known = PolicyKind.of(kind);
        Path file = Files.createTempFile("fovea", ".safetensors");
        try (Backend backend = Backends.open("cpu", 1).backend()) {
            NetworkConfig network = Hyperparameters.replace(NetworkConfig.BASE, NETWORK);
            SavedPolicy.random(backend, Environments.get(ENVIRONMENT).spaces(), known, network, 1)
                    .write(file);
            return Policy.load(file);
        } finally {
            Files.delete(file);
        }
    }

    private void measure(Policy measured, PolicySession session) {
        float[][] observations = observations(measured.observationSpace());
        boolean[] allowed = new boolean
                [measured.isMasked()
                        ? batch
                                * Arrays.stream(Schema.of(measured.actionSpace())
                                                .choices())
                                        .sum()
                        : 0];
        Arrays.fill(allowed, true);
        long[] nanos = new long[decisions];
        // Until the compiler is done with it, which shows in what is allocated.
        long allocated = 1;
        for (int round = 0; round < MOST_ROUNDS && (round == 0 || allocated > 0); round++) {
            long before = allocatedBytes();
            decide(session, observations, allowed, nanos);
            allocated = allocatedBytes() - before;
        }
        decide(session, observations, allowed, nanos);
        Arrays.sort(nanos);
        double median = nanos[decisions / 2] * 1e-3;
        double late = nanos[(int) (decisions * 0.99)] * 1e-3;
        double bytes = (double) allocated / decisions;
        terminal.out()
                .println(String.format(
                        Locale.ROOT,
                        "%s policy, %s parameters%s: %.1f us per decision, 99th percentile %.1f us, %.1f bytes allocated",
                        measured.kind(),
                        NumberFormats.count(measured.parameterCount()),
                        batch == 1 ? "" : ", batch of " + batch,
                        median,
                        late,
                        bytes));
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("policy", measured.kind())
                            .with("parameters", measured.parameterCount())
                            .with("batch", batch)
                            .with("decisions", decisions)
                            .with("microseconds_median", median)
                            .with("microseconds_p99", late)
                            .with("bytes_allocated", bytes));
        }
    }

    private static void decide(PolicySession session, float[][] observations, boolean[] allowed, long[] nanos) {
        for (int i = 0; i < nanos.length; i++) {
            long start = System.nanoTime();
            if (allowed.length > 0) {
                session.act(observations[i % SHOWN], allowed);
            } else {
                session.act(observations[i % SHOWN]);
            }
            nanos[i] = System.nanoTime() - start;
        }
    }

    /** Numbers from 0 to 1, which any space but one of entities has; of those there is one. */
    private float[][] observations(Space space) {
        Random random = new Random(1);
        int size = space.size();
        float[][] all = new float[SHOWN][batch * size];
        for (float[] shown : all) {
            for (int i = 0; i < shown.length; i++) {
                shown[i] = random.nextFloat();
            }
            for (Schema.Leaf leaf : Schema.of(space).leaves()) {
                for (int row = 0; row < batch && leaf.space() instanceof Space.Entities; row++) {
                    shown[row * size + leaf.offset() + leaf.space().size() - 1] = 1;
                }
            }
        }
        return all;
    }

    /** That this thread has allocated; 0 where the virtual machine doesn't tell. */
    private static long allocatedBytes() {
        return ManagementFactory.getThreadMXBean() instanceof com.sun.management.ThreadMXBean threads
                ? threads.getCurrentThreadAllocatedBytes()
                : 0;
    }
}
