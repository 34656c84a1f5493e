// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.policy.PolicyKind;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Environment steps per second of PPO on CartPole-v1, training included: the fixed work of {@code fovea bench train}. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 3)
@Measurement(iterations = 5, time = 3)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class TrainBenchmark {
    private static final String ENVIRONMENT = "CartPole-v1";
    private static final int ENVIRONMENTS = 64;
    private static final int STEPS = 128;

    /** Kind of network. */
    @Param({"mlp", "attention"})
    public String policy = "mlp";

    private Backend backend;
    private Path directory;
    private Trainer trainer;

    /** Starts a run that never ends. */
    @Setup(Level.Trial)
    public void open() throws IOException {
        PolicyKind kind = PolicyKind.of(policy);
        AlgorithmConfig config = Defaults.of(ENVIRONMENT, Algorithm.PPO, kind)
                .config()
                .with(Map.of("rollout_steps", Integer.toString(STEPS), "epochs", "4", "minibatches", "4"))
                .with(Map.of("window", "16", "normalize_observations", "false"));
        RunSpec spec = new RunSpec(ENVIRONMENT, kind, Long.MAX_VALUE / 2, ENVIRONMENTS, 1, config);
        backend = Backends.open("cpu", 0).backend();
        directory = Files.createTempDirectory("fovea-bench");
        trainer = Trainer.start(backend, spec, directory);
    }

    /** Plays one rollout and learns from it. */
    @Benchmark
    @OperationsPerInvocation(ENVIRONMENTS * STEPS)
    public Object iteration() {
        return trainer.iterate();
    }

    /** Gives everything back. */
    @TearDown(Level.Trial)
    public void close() throws IOException {
        trainer.close();
        backend.close();
        try (Stream<Path> tree = Files.walk(directory)) {
            tree.sorted(Comparator.reverseOrder()).forEach(TrainBenchmark::delete);
        }
    }

    private static void delete(Path path) {
        try {
            Files.delete(path);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot delete " + path, e);
        }
    }
}
