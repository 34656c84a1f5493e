// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.fovea.backend.math.Activation;
import org.fovea.nn.GruCell;
import org.fovea.nn.LayerNorm;
import org.fovea.nn.Linear;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * Gated recurrent units, one layer on the other, over the steps of the episode.
 *
 * <p>In training a segment begins with the states that play left behind before it, or with what a {@link BurnIn} makes of earlier
 * ones, a constant: gradients flow through the segment and no further.
 */
final class RecurrentTrunk implements Trunk {
    /** Numbers per step, layer and unit that a pass and back takes. */
    private static final long UNITS = 95;

    private final Parameters parameters;
    private final int width;

    /** The number of a step that says whether it starts an episode. */
    private final int start;

    private final StepFeatures features;
    private final Linear embedding;
    private final List<GruCell> cells = new ArrayList<>();
    private final LayerNorm norm;
    private final long flops;

    RecurrentTrunk(
            Parameters parameters, String name, NetworkConfig config, Function<String, StepFeatures> stepFeatures) {
        this.parameters = parameters;
        this.width = config.width();
        this.features = stepFeatures.apply(Trunk.nameOf(name, "features"));
        this.start = StepEncoder.start(features.inputs(), config);
        this.embedding = new Linear(
                parameters,
                Trunk.nameOf(name, "embedding"),
                features.size(),
                width,
                Initializer.orthogonal(Math.sqrt(2)),
                Activation.TANH);
        for (int layer = 0; layer < config.layers(); layer++) {
            cells.add(new GruCell(parameters, Trunk.nameOf(name, "gru" + layer), width));
        }
        this.norm = new LayerNorm(parameters, Trunk.nameOf(name, "final_norm"), width);
        this.flops = features.flops() + 2L * (features.size() + 6L * config.layers() * width) * width;
    }

    @Override
    public Context context(int environments, int rolloutSteps, int burnIn) {
        return new RecurrentMemory(parameters.backend(), this, environments, rolloutSteps, burnIn);
    }

    @Override
    public StepFeatures features() {
        return features;
    }

    @Override
    public int size() {
        return width;
    }

    @Override
    public long flops() {
        return flops;
    }

    @Override
    public long activations() {
        return features.activations() + UNITS * (long) layers() * width;
    }

    @Override
    public Tensor replay(StepFeatures.Encoded steps, ReplayListener listener) {
        List<Tensor> states = new ArrayList<>();
        for (int layer = 0; layer < layers(); layer++) {
            states.add(steps.numbers().tape().zeros(1, width));
        }
        return forward(steps, states);
    }

    int layers() {
        return cells.size();
    }

    /**
     * The pass over some steps of each of some sequences.
     *
     * @param steps [sequences * count], each sequence's one behind the other
     * @param states of each layer before the first step, [sequences, width]; those after the last take their place
     * @return [sequences * count, width]
     */
    Tensor forward(StepFeatures.Encoded steps, List<Tensor> states) {
        int sequences = states.get(0).size(0);
        int count = steps.numbers().size(0) / sequences;
        int[] single = new int[count];
        Arrays.fill(single, 1);
        List<Tensor> goesOn =
                goesOn(steps.numbers()).reshape(sequences, count, 1).split(1, single);
        Tensor x = embedding.apply(steps.features());
        for (int layer = 0; layer < cells.size(); layer++) {
            GruCell cell = cells.get(layer);
            List<Tensor> contributions =
                    cell.contributions(x).reshape(sequences, count, 3 * width).split(1, single);
            Tensor state = states.get(layer);
            List<Tensor> outputs = new ArrayList<>(count);
            for (int step = 0; step < count; step++) {
                Tensor before = state.multiply(goesOn.get(step).reshape(sequences, 1));
                Tensor contribution = contributions.get(step).reshape(sequences, 3 * width);
                state = cell.next(contribution, before);
                outputs.add(state.reshape(sequences, 1, width));
            }
            states.set(layer, state);
            x = Tensor.concat(1, outputs).reshape(sequences * count, width);
        }
        return norm.apply(x);
    }

    /** 0 where a step starts an episode, else 1; [rows, 1]. */
    private Tensor goesOn(Tensor steps) {
        return steps.slice(1, start, start + 1).negate().add(1);
    }
}
