// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.DeviceCalls;
import org.fovea.env.DeviceBatch;
import org.fovea.env.Environments;
import org.fovea.env.JoinedBatch;
import org.fovea.io.DurableFiles;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.rollout.StepCost;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.TrainResult;
import org.fovea.rl.run.Trainer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Steps per second of PPO on CartPole. */
@Command(
        name = "train",
        abbreviateSynopsis = true,
        header = "Measure environment steps per second of PPO on CartPole-v1.",
        description = {
            "%n64 environments x 128 steps, 4 epochs, 4 minibatches.",
            "  mlp        separate actor and critic, 64-64",
            "  attention  2 layers, width 64, 4 heads, window 16",
            "Launches and waits are those of a GPU for a step of a batch of environments, host us what the host does for it besides"
                    + " the environments' own work, waiting not included; idle is the share of the time in which a GPU had nothing to"
                    + " do while the host did something else. Environments that step on the device are timed on it by themselves.%n"
        })
final class BenchTrainCommand extends BackendCommand {
    private static final String ENVIRONMENT = "CartPole-v1";
    static final int ENVIRONMENTS = 64;
    private static final int EPOCHS = 4;
    private static final int MINIBATCHES = 4;

    /** Sums of gradients in an iteration, were there several ranks. */
    static final int UPDATES = EPOCHS * MINIBATCHES;

    private static final int ROLLOUT = 128;
    private static final int REPLAYS = 10;
    private static final int PROFILED_ENVIRONMENTS = 8;
    private static final long MLP_STEPS = 2L << 20;
    private static final long ATTENTION_STEPS = 512L << 10;
    private static final Map<String, String> WORK = Map.ofEntries(
            Map.entry("layers", "2"),
            Map.entry("width", "64"),
            Map.entry("heads", "4"),
            Map.entry("window", "16"),
            Map.entry("similarity", "dot"),
            Map.entry("gating", "false"),
            Map.entry("rollout_steps", "" + ROLLOUT),
            Map.entry("epochs", "" + EPOCHS),
            Map.entry("minibatches", "" + MINIBATCHES),
            Map.entry("target_kl", "0"),
            Map.entry("learning_rate", "0.001"),
            Map.entry("gamma", "0.99"),
            Map.entry("gae_lambda", "0.95"),
            Map.entry("entropy_coef", "0.01"),
            Map.entry("normalize_observations", "false"));

    @Option(
            names = "--policy",
            paramLabel = "NAME",
            description = "mlp, attention or gru (default: mlp and attention).")
    private List<String> policies = List.of("mlp", "attention");

    @Option(
            names = "--steps",
            paramLabel = "N",
            description = "Environment steps (default: 2097152, of a policy with memory 524288).")
    private long steps;

    @ArgGroup(validate = false, heading = "%nHow environments are played:%n")
    private PlayOptions play = new PlayOptions();

    @ArgGroup(validate = false, heading = "%nOn the simulator:%n")
    private ProfileOptions profile = new ProfileOptions();

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    private final List<Json> results = new ArrayList<>();

    BenchTrainCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        play.apply();
        List<PolicyKind> kinds = policies.stream().map(PolicyKind::of).toList();
        if (profile.isWanted()) {
            for (PolicyKind policy : kinds) {
                String title = "one update of PPO on " + ENVIRONMENT + ", " + policy + ", " + PROFILED_ENVIRONMENTS
                        + " environments";
                profile.run(device, terminal, title, () -> update(backendSettings, policy));
            }
            return 0;
        }
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of(
                "policy",
                "parameters",
                "MFLOP/step",
                "environment",
                "with inference",
                "with training",
                "launches/step",
                "waits/step",
                "host us/step",
                "idle",
                "final return"));
        try (Backend backend = open(backendSettings)) {
            terminal.report(json)
                    .println("PPO on " + ENVIRONMENT + ", environment steps per second, " + backend.description());
            for (PolicyKind policy : kinds) {
                rows.add(measure(backend, policy));
            }
        }
        Table.printWithHeading(terminal, terminal.report(json), rows);
        if (json) {
            terminal.out().println(new Json().with("results", results));
        }
        return 0;
    }

    /** Plays one segment and learns from it. */
    private void update(Map<String, String> backendSettings, PolicyKind policy) throws IOException {
        RunSpec spec = work(policy, (long) PROFILED_ENVIRONMENTS * ROLLOUT, PROFILED_ENVIRONMENTS);
        Path directory = Files.createTempDirectory("fovea-bench");
        try (Backend backend = open(backendSettings);
                Trainer trainer = Trainer.start(backend, spec, directory, settings())) {
            trainer.run(progress -> {}, () -> false);
        } finally {
            DurableFiles.deleteTree(directory);
        }
    }

    static RunSpec work(PolicyKind policy, long steps, int environments) {
        return Defaults.of(ENVIRONMENT, Algorithm.PPO, policy)
                .withSteps(steps)
                .withEnvironments(environments)
                .with(WORK)
                .with(Map.of("normalize_rewards", "" + policy.remembers()));
    }

    private PlaySettings settings() {
        return new PlaySettings(play.environmentThreads(0), PlaySettings.Overlap.AUTO, play.place());
    }

    private List<String> measure(Backend backend, PolicyKind policy) throws IOException {
        long wanted = steps > 0 ? steps : policy.remembers() ? ATTENTION_STEPS : MLP_STEPS;
        RunSpec spec = work(policy, wanted, ENVIRONMENTS);
        Path directory = Files.createTempDirectory("fovea-bench");
        backend.measureIdleTime();
        try (Trainer trainer = Trainer.start(backend, spec, directory, settings())) {
            Stopwatch stopwatch = new Stopwatch(backend, wanted / 4);
            TrainResult result = trainer.run(stopwatch, () -> false);
            // A forward pass to play, and in each epoch a forward pass and a backward pass of twice its work.
            StepCost cost = trainer.stepCost();
            double environment = play.place().isDevice(backend, Environments.get(ENVIRONMENT))
                    ? deviceRate(backend)
                    : result.training().throughput().environment();
            double megaflops = result.model().flopsPerStep() * (1 + 3.0 * EPOCHS) * 1e-6;
            results.add(new Json()
                    .with("policy", policy.toString())
                    .with("params", result.model().parameters())
                    .with("mflop_per_step", megaflops)
                    .with(
                            "sps",
                            new Json()
                                    .with("env", result.training().throughput().environment())
                                    .with(
                                            "inference",
                                            result.training().throughput().inference())
                                    .with("train", stopwatch.stepsPerSecond()))
                    .with("launches_per_step", cost.launches())
                    .with("waits_per_step", cost.waits())
                    .with("host_us_per_step", cost.hostNanos() * 1e-3)
                    .with("return_mean", result.evaluation().mean()));
            return List.of(
                    policy.toString(),
                    NumberFormats.count(result.model().parameters()),
                    String.format(Locale.ROOT, "%.2f", megaflops),
                    NumberFormats.count(environment),
                    NumberFormats.count(result.training().throughput().inference()),
                    NumberFormats.count(stopwatch.stepsPerSecond()),
                    String.format(Locale.ROOT, "%.2f", cost.launches()),
                    String.format(Locale.ROOT, "%.2f", cost.waits()),
                    String.format(Locale.ROOT, "%.1f", cost.hostNanos() * 1e-3),
                    backend.name().equals("cpu")
                            ? "-"
                            : String.format(Locale.ROOT, "%.0f %%", 100 * stopwatch.idleShare()),
                    NumberFormats.score(result.evaluation().mean()));
        } finally {
            DurableFiles.deleteTree(directory);
        }
    }

    /** Steps per second of environments that the device steps, by themselves. */
    private static double deviceRate(Backend backend) {
        JoinedBatch environments = JoinedBatch.createOnDevice(backend, Environments.get(ENVIRONMENT), ENVIRONMENTS)
                .get(0);
        try {
            DeviceBatch batch = environments.onDevice().orElseThrow();
            batch.reset(1, 0, new float[ENVIRONMENTS * batch.observationSpace().size()]);
            batch.give(new int[ENVIRONMENTS], new float[0]);
            try (CapturedStep segment = backend.capture(() -> batch.repeat(ROLLOUT))) {
                segment.replay();
                double seconds = backend.seconds(() -> {
                    for (int i = 0; i < REPLAYS; i++) {
                        segment.replay();
                    }
                });
                return (double) ENVIRONMENTS * ROLLOUT * REPLAYS / seconds;
            }
        } finally {
            environments.close();
        }
    }

    /** Measures the rate of a run from after its warm-up. */
    private static final class Stopwatch implements Progress.Listener {
        private final Backend backend;
        private final long warmUpSteps;
        private DeviceCalls startCalls = DeviceCalls.NONE;
        private long idleNanos;
        private long startNanos;
        private long startSteps = -1;
        private long nanos;
        private long steps;

        Stopwatch(Backend backend, long warmUpSteps) {
            this.backend = backend;
            this.warmUpSteps = warmUpSteps;
        }

        @Override
        public void progressed(Progress progress) {
            long now = System.nanoTime();
            if (startSteps >= 0) {
                nanos = now - startNanos;
                idleNanos = backend.calls().since(startCalls).idleNanos();
                steps = progress.steps() - startSteps;
            } else if (progress.steps() >= warmUpSteps) {
                startNanos = now;
                startCalls = backend.calls();
                startSteps = progress.steps();
            }
        }

        double stepsPerSecond() {
            return steps / (nanos * 1e-9);
        }

        double idleShare() {
            return (double) idleNanos / nanos;
        }
    }
}
