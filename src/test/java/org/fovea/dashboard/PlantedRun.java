// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.io.Checkpoint;
import org.fovea.io.TensorData;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.run.TrainingOptions;

/** Runs whose policy is known to attend to an episode's first step, whatever it sees. */
final class PlantedRun {
    private PlantedRun() {}

    /** Trains a little, with a window that no episode is longer than, so that there is a run to plant in. */
    static void train(Path directory, long seed, int iterations) {
        train(directory, seed, iterations, () -> false);
    }

    /** The same until it is to stop. */
    static void train(Path directory, long seed, int iterations, BooleanSupplier stop) {
        RunSpec spec = Runs.small(
                        "ProofOfMemory-v0",
                        PolicyKind.ATTENTION,
                        iterations,
                        Map.of("layers", "1", "window", "16", "epochs", "1", "normalize_observations", "false"))
                .withSeed(seed);
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            trainer.run(TrainingOptions.DEFAULT.withFinalEvaluation(EvaluationSettings.of(1, 3)), progress -> {}, stop);
        }
    }

    /**
     * Makes both heads look at the first step. The embedding of a step is one feature, large in the step that begins an episode and
     * the reverse in others; the key has it in the slowest of the rotary pairs, which over an episode hardly turn, and every query is
     * the same.
     */
    static void plant(Path directory) throws IOException {
        Checkpoint trained = Checkpoint.load(directory);
        Map<String, TensorData> tensors = new HashMap<>(trained.tensors());
        int width = 16;
        int inputs = 3 + 2 + 1;
        float[] embedding = new float[inputs * width];
        float[] bias = new float[width];
        bias[0] = -1;
        embedding[(inputs - 1) * width] = 2;
        put(tensors, "embedding.weight", embedding);
        put(tensors, "embedding.bias", bias);
        float[] key = new float[width * width];
        float[] queryBias = new float[width];
        int dim = 8;
        for (int head = 0; head < 2; head++) {
            int slowest = head * dim + dim / 2 - 1;
            key[slowest] = 2;
            queryBias[slowest] = 2;
        }
        float[] ones = new float[width];
        Arrays.fill(ones, 1);
        put(tensors, "block0.attention.norm.gain", ones);
        put(tensors, "block0.attention.norm.bias", new float[width]);
        put(tensors, "block0.attention.key.weight", key);
        put(tensors, "block0.attention.key.bias", new float[width]);
        put(tensors, "block0.attention.query.weight", new float[width * width]);
        put(tensors, "block0.attention.query.bias", queryBias);
        new Checkpoint(trained.step() + 1, tensors, trained.metadata(), trained.files()).save(directory);
    }

    private static void put(Map<String, TensorData> tensors, String name, float[] values) {
        TensorData before = tensors.get("parameter." + name);
        if (before == null || before.elements() != values.length) {
            throw new AssertionError(name + " is not as expected: " + before + "; there are " + tensors.keySet());
        }
        tensors.put("parameter." + name, TensorData.ofFloats(values, before.shape()));
    }

    /** By how much the first step outweighs each later one, from the numbers above. */
    static double expectedWeight(int step) {
        // Normalised, the feature is +-sqrt(15) beside fifteen of its mean.
        double feature = Math.sqrt(15);
        double score = 2 * 2 * feature / Math.sqrt(8);
        double[] others = new double[step];
        Arrays.fill(others, Math.exp(-score));
        return Math.exp(score) / (Math.exp(score) + Arrays.stream(others).sum());
    }
}
