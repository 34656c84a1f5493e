// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.nn.ImageEncoder;
import org.fovea.nn.SetEncoder;
import org.fovea.nn.TransformerSettings;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * The first part of a network, which sees one step: entities go through a {@link SetEncoder}, pictures through an {@link
 * ImageEncoder}, and everything else, the previous action with it, is as it is.
 */
final class StepFeatures {
    /** Fewest that a picture is encoded by. */
    private static final int IMAGE_FEATURES = 128;

    private static final Encoder AS_IT_IS = (numbers, sets, listener) -> numbers;

    private final int inputs;
    private final List<Part> parts = new ArrayList<>();
    private final int size;
    private final long flops;
    private final long activations;

    /** Numbers {@code [from, to)} of a step's, and what becomes of them. */
    private record Part(int from, int to, Encoder encoder) {}

    private interface Encoder {
        /** @param sets given the sets that were encoded, by their path */
        Tensor apply(Tensor numbers, Map<String, SetEncoder.Encoded> sets, ReplayListener listener);
    }

    /**
     * Steps as the rest of a network sees them.
     *
     * @param numbers of the steps themselves, [rows, inputs()]
     * @param features [rows, size()]
     * @param sets of entities, by their path in the observation
     */
    record Encoded(Tensor numbers, Tensor features, Map<String, SetEncoder.Encoded> sets) {}

    /**
     * The features of steps.
     *
     * @param name of the parameters' prefix
     * @param schema of observations
     * @param inputs numbers of a step, of which the observation comes first
     */
    StepFeatures(Parameters parameters, String name, NetworkConfig config, Schema schema, int inputs) {
        this.inputs = inputs;
        int total = 0;
        long operations = 0;
        long held = 0;
        int plainFrom = 0;
        for (Schema.Leaf leaf : schema.leaves()) {
            String path = leaf.path().isEmpty() ? name : name + "." + leaf.path();
            int from = leaf.offset();
            int to = from + leaf.space().size();
            Encoder encoder;
            int encoded;
            if (leaf.space() instanceof Space.Entities entities) {
                TransformerSettings settings =
                        TransformerSettings.of(config.width(), config.heads()).withSimilarity(config.similarity());
                SetEncoder set = new SetEncoder(
                        parameters, path, entities.most(), entities.features(), config.entityLayers(), settings);
                encoder = (x, sets, listener) -> {
                    SetEncoder.Encoded things = set.apply(
                            x.slice(1, 0, to - from - 1),
                            x.slice(1, to - from - 1, to - from),
                            layer -> listener.ofEntities(leaf.path(), layer));
                    sets.put(leaf.path(), things);
                    return things.whole();
                };
                encoded = set.size();
                operations += set.flops();
                held += set.activations();
            } else if (leaf.space() instanceof Space.Image image) {
                ImageEncoder picture = new ImageEncoder(
                        parameters,
                        path,
                        image.channels(),
                        image.height(),
                        image.width(),
                        Math.max(config.width(), IMAGE_FEATURES));
                encoder = (x, sets, listener) -> picture.apply(x);
                encoded = picture.size();
                operations += picture.flops();
                held += picture.activations();
            } else {
                continue;
            }
            total += addPlain(plainFrom, from);
            parts.add(new Part(from, to, encoder));
            total += encoded;
            plainFrom = to;
        }
        this.size = total + addPlain(plainFrom, inputs);
        this.flops = operations;
        // What is encoded is cut out, and joined again, with a gradient.
        this.activations = held == 0 ? 0 : held + inputs + 3L * size;
    }

    private int addPlain(int from, int to) {
        if (to > from) {
            parts.add(new Part(from, to, AS_IT_IS));
        }
        return to - from;
    }

    /** Numbers of a step. */
    int inputs() {
        return inputs;
    }

    /** Multiply-adds times two for one step. */
    long flops() {
        return flops;
    }

    /** Numbers that a pass over one step, and back, takes. */
    long activations() {
        return activations;
    }

    /** Features of a step. */
    int size() {
        return size;
    }

    /** Encodes steps, [rows, inputs()]. */
    Encoded apply(Tensor steps) {
        return apply(steps, ReplayListener.NONE);
    }

    /** The same, of whose attention a listener is told. */
    Encoded apply(Tensor steps, ReplayListener listener) {
        if (parts.size() == 1 && parts.get(0).encoder == AS_IT_IS) {
            return new Encoded(steps, steps, Map.of());
        }
        List<Tensor> features = new ArrayList<>();
        Map<String, SetEncoder.Encoded> sets = new HashMap<>();
        for (Part part : parts) {
            features.add(part.encoder.apply(steps.slice(1, part.from, part.to), sets, listener));
        }
        return new Encoded(steps, Tensor.concat(1, features), sets);
    }
}
