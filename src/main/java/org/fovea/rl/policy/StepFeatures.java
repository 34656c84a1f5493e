// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
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

    private static final Encoder AS_IT_IS = numbers -> numbers;

    private final int inputs;
    private final List<Part> parts = new ArrayList<>();
    private final int size;
    private final long flops;

    /** Numbers {@code [from, to)} of a step's, and what becomes of them. */
    private record Part(int from, int to, Encoder encoder) {}

    private interface Encoder {
        Tensor apply(Tensor numbers);
    }

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
                encoder = x -> set.apply(x.slice(1, 0, to - from - 1), x.slice(1, to - from - 1, to - from));
                encoded = set.size();
                operations += set.flops();
            } else if (leaf.space() instanceof Space.Image image) {
                ImageEncoder picture = new ImageEncoder(
                        parameters,
                        path,
                        image.channels(),
                        image.height(),
                        image.width(),
                        Math.max(config.width(), IMAGE_FEATURES));
                encoder = picture::apply;
                encoded = picture.size();
                operations += picture.flops();
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

    /** Features of a step. */
    int size() {
        return size;
    }

    /** Steps [rows, numbers] to [rows, size()]. */
    Tensor apply(Tensor steps) {
        if (parts.size() == 1 && parts.get(0).encoder == AS_IT_IS) {
            return steps;
        }
        List<Tensor> features = new ArrayList<>();
        for (Part part : parts) {
            features.add(part.encoder.apply(steps.slice(1, part.from, part.to)));
        }
        return Tensor.concat(1, features);
    }
}
