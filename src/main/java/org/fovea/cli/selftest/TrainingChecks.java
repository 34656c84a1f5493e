// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.selftest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.io.Checkpoint;
import org.fovea.io.TensorData;
import org.fovea.io.TensorType;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Trainer;
import org.fovea.verify.Case;
import org.fovea.verify.Pair;

/** Checks beyond single operations: repeated runs, and updates of PPO compared with the CPU's. */
final class TrainingChecks {
    private static final String ENVIRONMENT = "MemoryChain-v0:length=2";
    private static final double LEARNING_RATE = 0.01;
    private static final int ENVIRONMENTS = 9;
    private static final double FLOAT_ROUNDING = 0x1p-24;

    private TrainingChecks() {}

    static List<Case> all(boolean deep) {
        return List.of(
                new Case("the same bits again", "repeated runs", p -> repeated(p, deep ? 250 : 25)),
                new Case("updates of PPO", "compared with the CPU's", p -> updates(p, deep ? 10 : 3)));
    }

    /** A product, attention with its gradient, and a sum over a long axis, again and again. */
    private static void repeated(Pair p, int repeats) {
        Backend b = p.tested;
        try (Scope scope = b.memory().openScope()) {
            repeated(p, b, scope, repeats);
        }
    }

    private static DeviceArray normal(Backend b, Scope scope, long length) {
        DeviceArray array = scope.allocate(b.memory().floatType(), length);
        b.memory().upload(Pair.normal((int) length, length), 0, array);
        return array;
    }

    private static void repeated(Pair p, Backend b, Scope scope, int repeats) {
        AttentionShape shape = new AttentionShape(2, 2, 33, 31, 16, 16, AttentionShape.Layout.BHND);
        AttentionSpec spec = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.BOTTOM_RIGHT);
        AttentionCall<DeviceArray> call = AttentionCall.of(
                shape,
                spec,
                normal(b, scope, shape.querySize()),
                normal(b, scope, shape.keySize()),
                normal(b, scope, shape.valueSize()));
        Gemm product = Gemm.dense(true, false, 33, 65, 97);
        DeviceArray left = normal(b, scope, 33 * 97);
        DeviceArray right = normal(b, scope, 65 * 97);
        DeviceArray dOutput = normal(b, scope, shape.outputSize());
        long[] lengths = {
            33 * 65, shape.outputSize(), shape.logSumExpSize(), shape.querySize(), shape.keySize(), shape.valueSize(), 1
        };
        DeviceArray all =
                scope.allocate(b.memory().floatType(), Arrays.stream(lengths).sum());
        DeviceArray[] parts = new DeviceArray[lengths.length];
        long at = 0;
        for (int i = 0; i < parts.length; i++) {
            parts[i] = all.slice(at, lengths[i]);
            at += lengths[i];
        }
        AttentionOutputs<DeviceArray> out =
                new AttentionOutputs<>(parts[1], parts[2]).withState(b.attention(), call, scope::allocate);
        double[] first = null;
        for (int repeat = 0; repeat < repeats; repeat++) {
            b.memory().fill(all, Double.NaN);
            b.math().gemm(product, left, right, parts[0]);
            b.attention().forward(call, out);
            b.attention()
                    .backward(
                            call,
                            out,
                            AttentionPlane.outputs(dOutput, null),
                            AttentionPlane.inputs(parts[3], parts[4], parts[5]));
            b.math().reduce(ReduceOp.SUM, 1, Math.toIntExact(dOutput.length()), 1, dOutput, parts[6]);
            double[] found = new double[(int) all.length()];
            b.memory().download(all, found, 0);
            first = first == null ? found : first;
            p.requireEqual("run " + repeat, found, first);
        }
    }

    /**
     * Adam moves a parameter by at most the learning rate in an update, in the direction of its gradient's sign. On two
     * devices gradients differ by rounding, and so do the signs of the few that are next to nothing: parameters have gone
     * the same way but for a small share of it.
     */
    private static void updates(Pair p, int updates) {
        double[] found = trained(p.tested, updates);
        double[] expected;
        try (Backend cpu = Backends.open("cpu", 1).backend()) {
            expected = trained(cpu, updates);
        }
        double distance = 0;
        for (int i = 0; i < found.length; i++) {
            distance += (found[i] - expected[i]) * (found[i] - expected[i]);
        }
        double way = LEARNING_RATE * updates * Math.sqrt(found.length);
        double share = Math.sqrt(distance) / way;
        double allowed = p.ofProducts(0.05 / FLOAT_ROUNDING, 0.3 / 0x1p-11) * FLOAT_ROUNDING;
        p.require(
                share <= allowed,
                "parameters' distance from the CPU's is " + share + " of the way that they went, allowed are "
                        + allowed);
    }

    /** The parameters of a policy with attention after so many updates. */
    private static double[] trained(Backend backend, int updates) {
        RunSpec once = Defaults.of(ENVIRONMENT, Algorithm.PPO, PolicyKind.ATTENTION)
                .withEnvironments(ENVIRONMENTS)
                .withSeed(3)
                .with(Map.of("layers", "1", "width", "16", "heads", "2", "window", "3", "rollout_steps", "12"))
                .with(Map.of(
                        "epochs",
                        "1",
                        "minibatches",
                        "1",
                        "learning_rate",
                        "0.01",
                        "learning_rate_schedule",
                        "constant"));
        // One iteration more than is run: a run that is interrupted is not evaluated.
        RunSpec spec = once.withSteps((updates + 1) * once.stepsPerIteration());
        try {
            Path directory = Files.createTempDirectory("fovea-selftest");
            try (Trainer trainer = Trainer.start(backend, spec, directory)) {
                int[] done = {0};
                trainer.run(Progress.Listener.NONE, () -> ++done[0] == updates);
                return parameters(Checkpoint.load(directory));
            } finally {
                delete(directory);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("training in the temporary directory", e);
        }
    }

    private static double[] parameters(Checkpoint checkpoint) {
        return checkpoint.tensors().entrySet().stream()
                .filter(tensor -> tensor.getValue().type() == TensorType.F32)
                .filter(tensor -> tensor.getKey().startsWith("parameter"))
                .sorted(Map.Entry.comparingByKey())
                .map(Map.Entry::getValue)
                .map(TensorData::toFloats)
                .flatMapToDouble(values -> {
                    double[] wide = new double[values.length];
                    Arrays.setAll(wide, i -> values[i]);
                    return Arrays.stream(wide);
                })
                .toArray();
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
