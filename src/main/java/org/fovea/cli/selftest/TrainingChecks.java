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
import org.fovea.backend.Activation;
import org.fovea.backend.AttentionArguments;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionOutputs;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Gemm;
import org.fovea.backend.ReduceOp;
import org.fovea.io.Checkpoint;
import org.fovea.io.TensorData;
import org.fovea.io.TensorType;
import org.fovea.rl.Algorithm;
import org.fovea.rl.AlgorithmConfig;
import org.fovea.rl.Defaults;
import org.fovea.rl.PolicyKind;
import org.fovea.rl.Progress;
import org.fovea.rl.RunSpec;
import org.fovea.rl.Trainer;

/** Whole steps: captured ones, repeated ones, and updates of PPO beside the CPU's. */
final class TrainingChecks {
    private static final String ENVIRONMENT = "MemoryChain-v0:length=2";
    private static final double LEARNING_RATE = 0.01;
    private static final int ENVIRONMENTS = 9;

    private TrainingChecks() {}

    static List<Check> all() {
        return List.of(
                new Check("a captured step", TrainingChecks::captured),
                new Check("the same bits again", TrainingChecks::repeated),
                new Check("updates of PPO", TrainingChecks::updates));
    }

    /** Replayed on other inputs than it was captured with, it does what the operations do one by one. */
    private static void captured(Trial t) {
        Backend b = t.backend();
        int rows = 13;
        int in = 7;
        int out = 5;
        DeviceArray x = b.allocate(DType.F32, (long) rows * in);
        DeviceArray weight = b.allocate(DType.F32, (long) in * out);
        DeviceArray y = b.allocate(DType.F32, (long) rows * out);
        Runnable step = () -> {
            b.linear(rows, in, out, x, weight, null, Activation.TANH, y);
            b.softmax(rows, out, y, y);
        };
        try (CapturedStep replayed = b.capture(step)) {
            for (int round = 0; round < 3; round++) {
                b.upload(t.normal(rows * in), 0, x);
                b.upload(t.normal(in * out), 0, weight);
                step.run();
                double[] expected = t.download(y);
                b.fill(y, Double.NaN);
                replayed.replay();
                t.equal("replay " + round, y, expected);
            }
        } finally {
            x.release();
            weight.release();
            y.release();
        }
    }

    /** A product, attention with its gradient, and a sum over a long axis, again and again. */
    private static void repeated(Trial t) {
        Backend b = t.backend();
        int repeats = t.choose(25, 250);
        AttentionShape shape = new AttentionShape(2, 2, 33, 31, 16, 16, AttentionShape.Layout.BHND);
        AttentionSpec spec = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.BOTTOM_RIGHT);
        AttentionInputs inputs = AttentionInputs.of(
                t.floats(t.normal((int) shape.querySize())),
                t.floats(t.normal((int) shape.keySize())),
                t.floats(t.normal((int) shape.valueSize())));
        Gemm product = Gemm.dense(true, false, 33, 65, 97);
        DeviceArray left = t.floats(t.normal(33 * 97));
        DeviceArray right = t.floats(t.normal(65 * 97));
        DeviceArray dOutput = t.floats(t.normal((int) shape.outputSize()));
        long[] lengths = {
            33 * 65, shape.outputSize(), shape.logSumExpSize(), shape.querySize(), shape.keySize(), shape.valueSize(), 1
        };
        DeviceArray all = t.output(Arrays.stream(lengths).sum());
        DeviceArray[] parts = new DeviceArray[lengths.length];
        long at = 0;
        for (int i = 0; i < parts.length; i++) {
            parts[i] = all.slice(at, lengths[i]);
            at += lengths[i];
        }
        AttentionOutputs out = new AttentionOutputs(parts[1], parts[2]).withState(b, shape, spec, inputs, t::output);
        double[] first = null;
        for (int repeat = 0; repeat < repeats; repeat++) {
            b.fill(all, Double.NaN);
            b.gemm(product, left, right, parts[0]);
            b.attentionForward(shape, spec, inputs, out);
            b.attentionBackward(
                    shape, spec, inputs, out, dOutput, null, new AttentionArguments(parts[3], parts[4], parts[5]));
            b.reduce(ReduceOp.SUM, 1, Math.toIntExact(dOutput.length()), 1, dOutput, parts[6]);
            if (first == null) {
                first = t.download(all);
            } else {
                t.equal("run " + repeat, all, first);
            }
        }
    }

    /**
     * Adam moves a parameter by at most the learning rate in an update, in the direction of its gradient's sign. On two
     * devices gradients differ by rounding, and so do the signs of the few that are next to nothing: parameters have gone
     * the same way but for a small share of it.
     */
    private static void updates(Trial t) {
        int updates = t.choose(3, 10);
        double[] found = trained(t.backend(), updates);
        double[] expected;
        try (Backend cpu = Backends.open("cpu", 1).backend()) {
            expected = trained(cpu, updates);
        }
        double distance = 0;
        for (int i = 0; i < found.length; i++) {
            distance += (found[i] - expected[i]) * (found[i] - expected[i]);
        }
        double way = LEARNING_RATE * updates * Math.sqrt(found.length);
        t.within(
                "parameters' distance from the CPU's, of the way that they went",
                new double[] {Math.sqrt(distance) / way},
                new double[] {0},
                new double[] {1},
                t.ofProducts(0.05 / Trial.UNIT, 0.3 / 0x1p-11) * Trial.UNIT);
    }

    /** The parameters of a policy with attention after so many updates. */
    private static double[] trained(Backend backend, int updates) {
        AlgorithmConfig config = Defaults.of(ENVIRONMENT, Algorithm.PPO, PolicyKind.ATTENTION)
                .config()
                .with(Map.of("layers", "1", "width", "16", "heads", "2", "window", "3", "rollout_steps", "12"))
                .with(Map.of(
                        "epochs", "1", "minibatches", "1", "learning_rate", "0.01", "anneal_learning_rate", "false"));
        long steps = (long) config.rollout().rolloutSteps() * ENVIRONMENTS;
        // One iteration more than is run: a run that is interrupted is not evaluated.
        RunSpec spec = new RunSpec(ENVIRONMENT, PolicyKind.ATTENTION, (updates + 1) * steps, ENVIRONMENTS, 3, config);
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
