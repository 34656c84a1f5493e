// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.fovea.onnx.OnnxGraph.BATCH;

import java.util.List;
import org.fovea.nn.RotaryEncoding;
import org.fovea.onnx.format.TensorProto.DataType;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.policy.PolicyKind;
import org.jspecify.annotations.Nullable;

/** What a network makes of a step and of those before, below its heads: see the trunks of {@link org.fovea.rl.policy}. */
final class TrunkGraph {
    private final OnnxGraph graph;
    private final LayerGraph layers;
    private final MemoryGraph memory;
    private final HistoryGraph history;
    private final NetworkConfig network;

    /** What all layers of attention have in common; null before the first. */
    private @Nullable Window window;

    TrunkGraph(OnnxGraph graph, LayerGraph layers, MemoryGraph memory, HistoryGraph history, NetworkConfig network) {
        this.graph = graph;
        this.layers = layers;
        this.memory = memory;
        this.history = history;
        this.network = network;
    }

    /**
     * What it gives, [batch, width].
     *
     * @param step as its features are
     * @param prefix of its parameters' names, empty or with a dot behind it
     * @param place prefix of what it remembers, likewise
     */
    String apply(PolicyKind kind, StepGraph.Features step, String prefix, String place) {
        String x = step.numbers();
        return switch (kind) {
            case MLP -> feedForward(x, prefix);
            case GRU -> recurrent(x, prefix, place);
            case ATTENTION -> attention(x, prefix, place);
        };
    }

    private String feedForward(String features, String prefix) {
        String x = features;
        for (int layer = 0; layer < network.layers(); layer++) {
            x = layers.tanh(layers.linear(x, prefix + layer));
        }
        return x;
    }

    private String recurrent(String features, String prefix, String place) {
        String x = layers.tanh(layers.linear(features, prefix + "embedding"));
        for (int layer = 0; layer < network.layers(); layer++) {
            MemoryGraph.Place state = memory.place(
                    place + "layer" + layer + ".state", DataType.FLOAT, "state of gated units", BATCH, layers.width());
            x = layers.gru(x, graph.multiply(state.now(), history.goesOn()), prefix + "gru" + layer);
            state.next(x);
        }
        return layers.layerNorm(x, prefix + "final_norm");
    }

    private String attention(String features, String prefix, String place) {
        String x = layers.linear(features, prefix + "embedding");
        for (int layer = 0; layer < network.layers(); layer++) {
            String block = prefix + "block" + layer;
            String of = place + "layer" + layer;
            x = layers.block(x, block, network.gating(), normal -> remembering(normal, block + ".attention", of));
        }
        return layers.layerNorm(x, prefix + "final_norm");
    }

    /** Averages of the values of the last steps, [batch, width]. Keys are remembered as they are before they are turned. */
    private String remembering(String x, String name, String place) {
        String query = layers.inHeads(layers.linear(x, name + ".query"), 1);
        String keys = remembered(layers.inHeads(layers.linear(x, name + ".key"), 1), place + ".keys");
        String values = remembered(layers.inHeads(layers.linear(x, name + ".value"), 1), place + ".values");
        if (window == null) {
            window = new Window();
        }
        String averages = layers.attend(query, window.turn(keys), values, window.hidden);
        return graph.reshape(averages, BATCH, layers.width());
    }

    /** Rows of the last steps and of this one, [batch, heads, window, headDim]. */
    private String remembered(String row, String name) {
        int past = network.window() - 1;
        if (past == 0) {
            return row;
        }
        MemoryGraph.Place place = memory.place(
                name,
                DataType.FLOAT,
                "of the last " + past + " steps, the latest at the end",
                BATCH,
                layers.heads(),
                past,
                layers.headDim());
        String all = graph.concat(2, List.of(place.now(), row));
        place.next(graph.slice(all, 2, 1, past + 1L));
        return all;
    }

    /**
     * Which steps of the window are seen, and where they stand: the present one, which is the last, at 0, those before at negative
     * positions. So queries need not be turned.
     */
    private final class Window {
        private final int length = network.window();
        private final int half = layers.headDim() / 2;

        /** 0 for steps of the present episode, [batch, 1, 1, window]. */
        private final String hidden;

        private final String cosines;
        private final String sines;
        private final @Nullable String rows;

        Window() {
            long[] ages = new long[length];
            float[] cosine = new float[length * half];
            float[] sine = new float[length * half];
            for (int i = 0; i < length; i++) {
                ages[i] = length - 1L - i;
                for (int j = 0; j < half; j++) {
                    double angle = -ages[i] * Math.pow(RotaryEncoding.STANDARD.base(), -(double) j / half);
                    cosine[i * half + j] = (float) Math.cos(angle);
                    sine[i * half + j] = (float) Math.sin(angle);
                }
            }
            String steps = graph.reshape(history.step(), BATCH, 1, 1, 1);
            hidden = layers.hiddenUnless(graph.apply("GreaterOrEqual", steps, graph.integers(ages, 1, 1, 1, length)));
            cosines = graph.constant("rotary_cosines", cosine, length, half);
            sines = graph.constant("rotary_sines", sine, length, half);
            rows = graph.hasAttention() ? numberOfEach() : null;
        }

        /** 0, 1, ... for each environment, [batch, window]. */
        private String numberOfEach() {
            long[] numbers = new long[length];
            for (int i = 0; i < length; i++) {
                numbers[i] = i;
            }
            String shape = graph.concat(
                    0, List.of(graph.apply("Shape", history.step()), graph.integers(new long[] {length}, 1)));
            return graph.apply("Expand", graph.integers(numbers, 1, length), shape);
        }

        /** Rows turned by their positions; [batch, heads, window, headDim]. */
        String turn(String x) {
            if (length == 1) {
                return x;
            }
            if (rows != null) {
                return graph.apply("RotaryEmbedding", x, cosines, sines, rows);
            }
            String first = graph.slice(x, 3, 0, half);
            String second = graph.slice(x, 3, half, 2L * half);
            return graph.concat(
                    3,
                    List.of(
                            graph.subtract(graph.multiply(first, cosines), graph.multiply(second, sines)),
                            graph.add(graph.multiply(first, sines), graph.multiply(second, cosines))));
        }
    }
}
