// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static java.util.Objects.requireNonNull;
import static org.fovea.onnx.OnnxGraph.BATCH;
import static org.fovea.onnx.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.nn.ImageEncoder;
import org.fovea.rl.policy.RunningMoments;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.policy.StepEncoder;
import org.jspecify.annotations.Nullable;

/**
 * A step as networks see it: the observation, normalised; the action of the step before; and where the episode is. As {@link
 * StepEncoder} has it, then {@code StepFeatures}, which has parameters and so is of a network.
 */
final class StepGraph {
    private final OnnxGraph graph;
    private final LayerGraph layers;
    private final SavedPolicy policy;
    private final int size;
    private final List<Part> parts = new ArrayList<>();

    /**
     * The numbers of a part of the step.
     *
     * @param leaf with entities or a picture; null for numbers that are as they are
     * @param numbers [batch, size]; of entities [batch, most, features]
     * @param count of entities, [batch, 1], else null
     */
    private record Part(
            Schema.@Nullable Leaf leaf,
            String numbers,
            @Nullable String count) {}

    /**
     * A set of entities as a network encodes it.
     *
     * @param things [batch, most, width]
     * @param hidden [batch, most], 0 for those that are there and {@link LayerGraph#HIDDEN} for others
     */
    record EncodedSet(String things, String hidden) {}

    /**
     * A step as a network encodes it.
     *
     * @param numbers [batch, size]
     * @param sets of entities, by their path in the observation
     */
    record Features(String numbers, Map<String, EncodedSet> sets) {}

    /**
     * The numbers of a step.
     *
     * @param observation [batch, size]
     * @param history what else a step is encoded of
     */
    StepGraph(OnnxGraph graph, LayerGraph layers, SavedPolicy policy, String observation, HistoryGraph history) {
        this.graph = graph;
        this.layers = layers;
        this.policy = policy;
        this.size = policy.spaces().observations().size();
        List<Schema.Leaf> leaves = Schema.of(policy.spaces().observations()).leaves();
        int plainFrom = 0;
        int plainMoments = 0;
        for (Schema.Leaf leaf : leaves) {
            int to = leaf.offset() + leaf.space().size();
            if (leaf.space() instanceof Space.Entities || leaf.space() instanceof Space.Image) {
                addPlain(observation, plainFrom, leaf.offset(), plainMoments);
                plainMoments += leaf.offset() - plainFrom;
                String numbers = cut(observation, leaf.offset(), to);
                parts.add(
                        leaf.space() instanceof Space.Entities set
                                ? entities(set, leaf, numbers)
                                : new Part(
                                        leaf,
                                        graph.apply("Div", numbers, graph.constant(StepEncoding.BRIGHTEST)),
                                        null));
                plainFrom = to;
            }
        }
        addPlain(observation, plainFrom, size, plainMoments);
        for (String numbers : history.encoded()) {
            parts.add(new Part(null, numbers, null));
        }
    }

    /** Numbers {@code [from, to)} of an observation. */
    private String cut(String observation, int from, int to) {
        return to - from == size ? observation : graph.slice(observation, 1, from, to);
    }

    /** Adds numbers that are neither of entities nor of a picture; {@code first} of the moments of all of them is of the first. */
    private void addPlain(String observation, int from, int to, int first) {
        if (to > from) {
            String numbers = cut(observation, from, to);
            String scaled =
                    policy.normalizesObservations() ? normalise(numbers, moments(""), first, to - from) : numbers;
            parts.add(new Part(null, scaled, null));
        }
    }

    private Part entities(Space.Entities set, Schema.Leaf leaf, String numbers) {
        int last = set.size() - 1;
        String count = graph.slice(numbers, 1, last, last + 1L);
        String things = graph.reshape(graph.slice(numbers, 1, 0, last), BATCH, set.most(), set.features());
        if (policy.normalizesObservations()) {
            RunningMoments moments = moments(".entities." + leaf.path());
            String there = graph.reshape(present(set, count), BATCH, set.most(), 1);
            things = graph.apply("Where", there, normalise(things, moments, 0, set.features()), things);
        }
        return new Part(leaf, things, count);
    }

    /** Moments by their name in {@code ObservationNormalizer}. */
    private RunningMoments moments(String name) {
        double[] saved =
                requireNonNull(policy.moments().get(SavedPolicy.MOMENTS + name)).toDoubles();
        RunningMoments moments = new RunningMoments(saved.length / 2);
        moments.restore(saved);
        return moments;
    }

    /** Scaled by {@code count} of some moments; means as two floats each, so that no more is lost than in float64. */
    private String normalise(String x, RunningMoments moments, int first, int count) {
        float[] mean = new float[count];
        float[] rest = new float[count];
        float[] reciprocal = new float[count];
        for (int i = 0; i < count; i++) {
            mean[i] = (float) moments.mean(first + i);
            rest[i] = (float) (moments.mean(first + i) - mean[i]);
            reciprocal[i] = (float) (1 / moments.std(first + i));
        }
        String centred = graph.subtract(graph.subtract(x, graph.constant(mean, count)), graph.constant(rest, count));
        return graph.apply(
                "Clip",
                graph.multiply(centred, graph.constant(reciprocal, count)),
                graph.constant(-StepEncoding.LIMIT),
                graph.constant(StepEncoding.LIMIT));
    }

    /** Which entities are there, [batch, most]. */
    private String present(Space.Entities set, String count) {
        float[] index = new float[set.most()];
        for (int i = 0; i < index.length; i++) {
            index[i] = i;
        }
        return graph.apply("Less", graph.constant(index, 1, index.length), count);
    }

    /** The step as a network encodes it whose parameters' names begin with {@code prefix}. */
    Features features(String prefix) {
        List<String> numbers = new ArrayList<>();
        Map<String, EncodedSet> sets = new HashMap<>();
        for (Part part : parts) {
            if (part.leaf == null) {
                numbers.add(part.numbers);
                continue;
            }
            String path = part.leaf.path();
            String name = path.isEmpty() ? prefix : prefix + "." + path;
            if (part.leaf.space() instanceof Space.Image image) {
                numbers.add(encode(image, part.numbers, name));
            } else {
                Space.Entities set = (Space.Entities) part.leaf.space();
                numbers.add(encode(set, part.numbers, requireNonNull(part.count), name, path, sets));
            }
        }
        return new Features(graph.concat(1, numbers), sets);
    }

    /** See {@link org.fovea.nn.SetEncoder}. */
    private String encode(
            Space.Entities set, String numbers, String count, String name, String path, Map<String, EncodedSet> sets) {
        int most = set.most();
        String present = present(set, count);
        String hidden = layers.hiddenUnless(present);
        // A row for each query, as ONNX Runtime's Attention wants it.
        String mask =
                graph.add(graph.reshape(hidden, BATCH, 1, 1, most), graph.constant(new float[most], 1, 1, most, 1));
        String x = layers.relu(layers.linear(numbers, name + ".embedding"));
        for (int layer = 0; layer < policy.network().entityLayers(); layer++) {
            String block = name + ".block" + layer;
            x = layers.block(x, block, false, normal -> {
                String averages = layers.attend(
                        layers.inHeads(layers.linear(normal, block + ".attention.query"), most),
                        layers.inHeads(layers.linear(normal, block + ".attention.key"), most),
                        layers.inHeads(layers.linear(normal, block + ".attention.value"), most),
                        mask);
                return graph.reshape(graph.transpose(averages, 0, 2, 1, 3), BATCH, most, layers.width());
            });
        }
        String things = layers.layerNorm(x, name + ".norm");
        sets.put(path, new EncodedSet(things, hidden));
        String there = graph.reshape(layers.number(present), BATCH, most, 1);
        String mean = graph.apply(
                "Div",
                graph.sum(graph.multiply(things, there), 1, false),
                graph.apply("Max", count, graph.constant(1)));
        String largest = graph.largest(graph.add(things, graph.reshape(hidden, BATCH, most, 1)), 1);
        String any = graph.apply("Greater", count, graph.constant(0));
        return graph.concat(1, List.of(mean, graph.apply("Where", any, largest, graph.constant(0))));
    }

    /** See {@link ImageEncoder}, which has channels last. */
    private String encode(Space.Image image, String numbers, String name) {
        String x = graph.reshape(numbers, BATCH, image.channels(), image.height(), image.width());
        int in = image.channels();
        int rows = image.height();
        int columns = image.width();
        int layer = 0;
        for (ImageEncoder.Layer convolution : ImageEncoder.layers(rows, columns)) {
            String of = name + ".convolution" + layer++;
            int kernel = convolution.kernel();
            int stride = convolution.stride();
            int out = convolution.channels();
            x = layers.relu(graph.apply(
                    "Conv",
                    List.of(attribute("kernel_shape", kernel, kernel), attribute("strides", stride, stride)),
                    x,
                    graph.constant(
                            of + ".weight",
                            kernels(layers.values(of + ".weight"), in, convolution),
                            out,
                            in,
                            kernel,
                            kernel),
                    layers.parameter(of + ".bias")));
            in = out;
            rows = (rows - kernel) / stride + 1;
            columns = (columns - kernel) / stride + 1;
        }
        long width = layers.size(name + ".output.weight", 1);
        String weight = graph.constant(
                name + ".output.weight",
                channelsFirst(layers.values(name + ".output.weight"), rows * columns, in, (int) width),
                (long) in * rows * columns,
                width);
        String product = graph.matrixProduct(graph.reshape(x, BATCH, (long) in * rows * columns), weight);
        return layers.relu(graph.add(product, layers.parameter(name + ".output.bias")));
    }

    /**
     * The weights of a convolution, [out, in, kernel, kernel]. Theirs are for squares of {@code stride x stride} pixels that were
     * gathered first: [squares down, squares right, down within, right within, in, out].
     */
    private static float[] kernels(float[] weights, int in, ImageEncoder.Layer convolution) {
        int kernel = convolution.kernel();
        int stride = convolution.stride();
        int out = convolution.channels();
        int side = kernel / stride;
        float[] kernels = new float[weights.length];
        for (int row = 0; row < kernel; row++) {
            for (int column = 0; column < kernel; column++) {
                int square = row / stride * side + column / stride;
                int pixel = (square * stride + row % stride) * stride + column % stride;
                for (int i = 0; i < in; i++) {
                    for (int o = 0; o < out; o++) {
                        kernels[((o * in + i) * kernel + row) * kernel + column] = weights[(pixel * in + i) * out + o];
                    }
                }
            }
        }
        return kernels;
    }

    /** Weights [patches, channels, size] as [channels, patches, size]. */
    private static float[] channelsFirst(float[] weights, int patches, int channels, int size) {
        float[] turned = new float[weights.length];
        for (int patch = 0; patch < patches; patch++) {
            for (int channel = 0; channel < channels; channel++) {
                System.arraycopy(
                        weights, (patch * channels + channel) * size, turned, (channel * patches + patch) * size, size);
            }
        }
        return turned;
    }
}
