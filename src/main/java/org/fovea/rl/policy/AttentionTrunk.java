// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.nn.LayerNorm;
import org.fovea.nn.Linear;
import org.fovea.nn.RotaryEncoding;
import org.fovea.nn.TransformerBlock;
import org.fovea.nn.TransformerSettings;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * A transformer over the last steps of the episode.
 *
 * <p>A segment is the part of a rollout that one environment played. In training, each layer sees the segment behind the
 * {@code window - 1} inputs that the layer had before it ({@link AttentionMemory}), projected under current parameters and
 * without gradient into the past, as in Transformer-XL (Dai et al. 2019, arXiv:1901.02860). In play, each layer keeps the
 * keys and values of the window in a ring buffer. Both compute the same function.
 */
final class AttentionTrunk implements Trunk {
    private final Parameters parameters;
    private final NetworkConfig config;
    private final StepFeatures features;
    private final Linear embedding;
    private final List<TransformerBlock> blocks = new ArrayList<>();
    private final LayerNorm finalNorm;
    private final long flops;

    AttentionTrunk(
            Parameters parameters, String name, NetworkConfig config, Function<String, StepFeatures> stepFeatures) {
        int width = config.width();
        if (width % (2 * config.heads()) != 0) {
            throw new IllegalArgumentException(
                    "hyper-parameter width must be a multiple of 2 * heads (rotary positions turn" + " pairs): width "
                            + width + ", heads " + config.heads());
        }
        this.parameters = parameters;
        this.config = config;
        this.features = stepFeatures.apply(Trunk.nameOf(name, "features"));
        this.embedding = new Linear(
                parameters,
                Trunk.nameOf(name, "embedding"),
                features.size(),
                width,
                Initializer.orthogonal(Math.sqrt(2)));
        TransformerSettings settings = TransformerSettings.of(width, config.heads())
                .withSimilarity(config.similarity())
                .withGates(config.gating());
        for (int layer = 0; layer < config.layers(); layer++) {
            blocks.add(new TransformerBlock(parameters, Trunk.nameOf(name, "block" + layer), settings));
        }
        this.finalNorm = new LayerNorm(parameters, Trunk.nameOf(name, "final_norm"), width);
        long projections = (4L + 2 * settings.feedForwardWidth() / width) * width * width;
        long attention = 2L * config.window() * width;
        this.flops =
                features.flops() + 2 * (config.layers() * (projections + attention) + (long) features.size() * width);
    }

    @Override
    public Context context(int environments, int rolloutSteps, int burnIn) {
        return new AttentionMemory(parameters.backend(), this, environments, rolloutSteps, burnIn);
    }

    @Override
    public StepFeatures features() {
        return features;
    }

    @Override
    public int size() {
        return config.width();
    }

    @Override
    public long flops() {
        return flops;
    }

    @Override
    public long activations() {
        return features.activations() + 42L * config.layers() * config.width();
    }

    /** The training pass over segments with the memory that each had, [rows, width]. */
    Tensor forward(StepFeatures.Encoded encoded, AttentionMemory.Batch batch) {
        int sequences = batch.keyPositions().size(0);
        int steps = encoded.features().size(0) / sequences;
        Tensor x = embed(encoded).reshape(sequences, steps, config.width());
        for (int layer = 0; layer < blocks.size(); layer++) {
            x = blocks.get(layer)
                    .forward(
                            x,
                            batch.input(layer),
                            batch.queryPositions(),
                            batch.keyPositions(),
                            batch.querySegments(),
                            batch.keySegments(),
                            config.window());
        }
        return finalNorm.apply(x.reshape(sequences * steps, config.width()));
    }

    @Override
    public Tensor replay(StepFeatures.Encoded encoded, ReplayListener listener) {
        int steps = encoded.numbers().size(0);
        Tape tape = encoded.numbers().tape();
        Tensor positions = RotaryEncoding.positions(tape, 1, 0, steps);
        DeviceArray ids = tape.allocate(DType.I32, steps);
        parameters.backend().memory().fill(ids, 0);
        Tensor episode = tape.constant(ids, 1, steps);
        Tensor x = embed(encoded).reshape(1, steps, config.width());
        for (int layer = 0; layer < blocks.size(); layer++) {
            x = blocks.get(layer)
                    .forward(x, null, positions, positions, episode, episode, config.window(), listener.ofSteps(layer));
        }
        return finalNorm.apply(x.reshape(steps, config.width()));
    }

    /**
     * Brings memory of before some steps to where they end: writes each layer's last {@code window - 1} inputs in their place.
     *
     * @param encoded [sequences * steps] rows
     * @param memory per layer [sequences, window - 1, width]
     * @param episodes I32 [sequences, window - 1 + steps], the episode of each
     */
    void burnIn(StepFeatures.Encoded encoded, List<Tensor> memory, Tensor episodes) {
        int sequences = episodes.size(0);
        int past = config.window() - 1;
        int end = episodes.size(1);
        Tensor queryPositions = RotaryEncoding.positions(episodes.tape(), sequences, past, end - past);
        Tensor keyPositions = RotaryEncoding.positions(episodes.tape(), sequences, 0, end);
        Tensor x = embed(encoded).reshape(sequences, end - past, config.width());
        for (int layer = 0; layer < blocks.size(); layer++) {
            DeviceArray inputs = memory.get(layer).array();
            Tensor before = x.tape().constant(inputs, sequences, past, config.width());
            Tensor all = Tensor.concat(1, List.of(before, x));
            if (layer + 1 < blocks.size()) {
                x = blocks.get(layer)
                        .forward(
                                x,
                                before,
                                queryPositions,
                                keyPositions,
                                episodes.slice(1, past, end),
                                episodes,
                                config.window());
            }
            parameters.backend().memory().copy(all.slice(1, end - past, end).array(), inputs);
        }
    }

    Tensor embed(StepFeatures.Encoded steps) {
        return embedding.apply(steps.features());
    }

    /** What it gives, of a step that went through all blocks. */
    Tensor decoded(Tensor x) {
        return finalNorm.apply(x);
    }

    List<TransformerBlock> blocks() {
        return blocks;
    }

    NetworkConfig config() {
        return config;
    }
}
