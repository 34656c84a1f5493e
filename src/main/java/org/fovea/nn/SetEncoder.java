// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.math.Activation;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * What there is to say of a set of things: each is embedded, all attend to each other, and the mean and the largest of every
 * feature are taken. The order in which they come makes no difference, nor does how much room is left.
 */
public final class SetEncoder {
    /** Hides a thing that isn't there; finite, so that a set of nothing is an average of nothing in particular. */
    private static final double HIDDEN = -1e30;

    private final int most;
    private final int features;
    private final int width;
    private final TransformerSettings settings;
    private final Linear embedding;
    private final List<TransformerBlock> blocks = new ArrayList<>();
    private final LayerNorm norm;

    /**
     * An encoder whose parameters' names begin with {@code name}.
     *
     * @param most things there can be
     * @param features of each
     * @param layers of attention
     */
    public SetEncoder(
            Parameters parameters, String name, int most, int features, int layers, TransformerSettings settings) {
        this.most = most;
        this.features = features;
        this.width = settings.width();
        this.settings = settings;
        this.embedding = new Linear(
                parameters,
                name + ".embedding",
                features,
                width,
                Initializer.orthogonal(Math.sqrt(2)),
                Activation.RELU);
        for (int layer = 0; layer < layers; layer++) {
            blocks.add(new TransformerBlock(parameters, name + ".block" + layer, settings.withRotary(null)));
        }
        this.norm = new LayerNorm(parameters, name + ".norm", width);
    }

    /** Numbers that a set is encoded by. */
    public int size() {
        return 2 * width;
    }

    /** Multiply-adds times two for one set of as many things as there can be. */
    public long flops() {
        long projections = (4L + 2 * settings.feedForwardWidth() / width) * width * width;
        return 2L * most * ((long) features * width + blocks.size() * (projections + 2L * most * width));
    }

    /** Numbers that a pass over one set, and back, takes; counted where sets were learned from. */
    public long activations() {
        return most * ((8L + 30L * blocks.size()) * width + 100);
    }

    /**
     * A set as it is encoded.
     *
     * @param things each of them, [rows, most, width]; anything for those that aren't there
     * @param hidden 0 for those that are there, -1e30 for the others, [rows, most]
     * @param whole what there is to say of all, [rows, size()]; zeros for a set of nothing
     */
    public record Encoded(Tensor things, Tensor hidden, Tensor whole) {}

    /**
     * Encodes sets.
     *
     * @param things [rows, most * features], of which those behind the count are not looked at
     * @param counts [rows, 1], how many there are; whole numbers from 0
     */
    public Encoded apply(Tensor things, Tensor counts) {
        return apply(things, counts, layer -> AttentionListener.NONE);
    }

    /**
     * The same, of whose attention listeners are told.
     *
     * @param listeners that of a layer
     */
    public Encoded apply(Tensor things, Tensor counts, IntFunction<AttentionListener> listeners) {
        int rows = things.size(0);
        Tape tape = things.tape();
        Tensor index = tape.result(1, most);
        tape.backend().math().iota(0, 1, index.array());
        Tensor present = index.broadcastTo(rows, most).less(counts.broadcastTo(rows, most));
        Tensor hidden = present.subtract(1).multiply(-HIDDEN);
        AttentionMask<Tensor> mask = AttentionMask.<Tensor>none().withScores(new ScoreBias<>(hidden, rows, 1, 1, most));
        Tensor x = embedding.apply(things.reshape(rows, most, features));
        for (int layer = 0; layer < blocks.size(); layer++) {
            x = blocks.get(layer).forward(x, AttentionSpec.DEFAULT, mask, listeners.apply(layer));
        }
        Tensor encoded = norm.apply(x);
        Tensor there = present.reshape(rows, most, 1);
        Tensor mean = encoded.multiply(there).sum(1).divide(counts.max(tape.full(1, 1, 1)));
        Tensor largest = encoded.add(hidden.reshape(rows, most, 1)).max(1);
        Tensor largestIfAny = counts.select(largest, tape.zeros(rows, width));
        return new Encoded(encoded, hidden, Tensor.concat(1, List.of(mean, largestIfAny)));
    }
}
