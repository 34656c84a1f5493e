// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.fovea.onnx.OnnxGraph.BATCH;
import static org.fovea.onnx.OnnxGraph.attribute;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.io.TensorData;
import org.fovea.io.TensorType;
import org.fovea.onnx.format.TensorProto.DataType;
import org.fovea.rl.policy.SavedPolicy;

/** The layers of {@link org.fovea.nn} as operators, with the parameters of a policy by their names. */
final class LayerGraph {
    private static final double NORM_EPSILON = 1e-5;

    /** Added to the score of a key that is not to be seen: what it weighs is 0, but where all are hidden all weigh the same. */
    static final float HIDDEN = -1e30f;

    /** Shorter rows count as zeros, whose cosines are 0. */
    private static final double SHORTEST = 1e-18;

    private final OnnxGraph graph;
    private final int heads;
    private final int headDim;
    private final int width;
    private final Similarity similarity;
    private final Map<String, TensorData> parameters;
    private final Set<String> used = new TreeSet<>();

    LayerGraph(OnnxGraph graph, SavedPolicy policy) {
        this.graph = graph;
        this.width = policy.network().width();
        this.heads = policy.network().heads();
        this.headDim = width / heads;
        this.similarity = policy.network().similarity();
        this.parameters = policy.parameters();
    }

    int heads() {
        return heads;
    }

    /** Elements of a head. */
    int headDim() {
        return headDim;
    }

    int width() {
        return width;
    }

    /** Length of an axis of a parameter. */
    long size(String name, int axis) {
        return find(name).shape()[axis];
    }

    /** The values of a parameter that does not go into the graph as it is. */
    float[] values(String name) {
        TensorData parameter = find(name);
        used.add(name);
        if (parameter.type() == TensorType.F32) {
            return parameter.toFloats();
        }
        double[] doubles = parameter.toDoubles();
        float[] values = new float[doubles.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) doubles[i];
        }
        return values;
    }

    /** A parameter as a constant of the graph. */
    String parameter(String name) {
        return graph.constant(name, values(name), find(name).shape());
    }

    private TensorData find(String name) {
        TensorData parameter = parameters.get(name);
        if (parameter == null) {
            throw new NotExportableException("the policy has no parameter " + name + " but " + parameters.keySet()
                    + ": it is of another version of Fovea, which can export it");
        }
        return parameter;
    }

    /** Parameters that the graph does without: none, or something was forgotten. */
    Set<String> unused() {
        Set<String> left = new TreeSet<>(parameters.keySet());
        left.removeAll(used);
        return Collections.unmodifiableSet(left);
    }

    /** {@code x W + b}; [..., in] to [..., out]. */
    String linear(String x, String name) {
        return graph.add(graph.matrixProduct(x, parameter(name + ".weight")), parameter(name + ".bias"));
    }

    String tanh(String x) {
        return graph.apply("Tanh", x);
    }

    String relu(String x) {
        return graph.apply("Relu", x);
    }

    private String sigmoid(String x) {
        return graph.apply("Sigmoid", x);
    }

    String layerNorm(String x, String name) {
        return graph.apply(
                "LayerNormalization",
                List.of(attribute("epsilon", NORM_EPSILON)),
                x,
                parameter(name + ".gain"),
                parameter(name + ".bias"));
    }

    /** See {@link org.fovea.nn.GruCell}; both [batch, width]. */
    String gru(String x, String state, String name) {
        List<String> added = graph.split(linear(x, name + ".input"), 1, width, width, width);
        String product = graph.matrixProduct(state, parameter(name + ".state.weight"));
        List<String> recurrent = graph.split(product, 1, width, width, width);
        String reset = sigmoid(graph.add(added.get(0), recurrent.get(0)));
        String keep = sigmoid(graph.add(added.get(1), recurrent.get(1)));
        String remembered = graph.add(recurrent.get(2), parameter(name + ".state.candidate_bias"));
        String candidate = tanh(graph.add(added.get(2), graph.multiply(reset, remembered)));
        return graph.add(candidate, graph.multiply(keep, graph.subtract(state, candidate)));
    }

    /**
     * See {@link org.fovea.nn.TransformerBlock}; of elements [..., width].
     *
     * @param attention averages of values, of elements after the norm
     */
    String block(String x, String name, boolean gated, UnaryOperator<String> attention) {
        String averages = attention.apply(layerNorm(x, name + ".attention.norm"));
        String seen = merge(x, linear(averages, name + ".attention.output"), name + ".attention.gate", gated);
        String hidden = relu(linear(layerNorm(seen, name + ".feed_forward.norm"), name + ".feed_forward.expand"));
        return merge(seen, linear(hidden, name + ".feed_forward.contract"), name + ".feed_forward.gate", gated);
    }

    private String merge(String x, String update, String name, boolean gated) {
        return gated ? gate(x, relu(update), name) : graph.add(x, update);
    }

    /** See {@link org.fovea.nn.GruGate}. */
    private String gate(String x, String update, String name) {
        String reset = sigmoid(graph.add(
                graph.matrixProduct(update, parameter(name + ".reset.update")),
                graph.matrixProduct(x, parameter(name + ".reset.element"))));
        String gate = sigmoid(graph.subtract(
                graph.add(
                        graph.matrixProduct(update, parameter(name + ".gate.update")),
                        graph.matrixProduct(x, parameter(name + ".gate.element"))),
                parameter(name + ".bias")));
        String candidate = tanh(graph.add(
                graph.matrixProduct(update, parameter(name + ".candidate.update")),
                graph.matrixProduct(graph.multiply(reset, x), parameter(name + ".candidate.element"))));
        return graph.add(x, graph.multiply(gate, graph.subtract(candidate, x)));
    }

    /** Elements [batch, count, width], or [batch, width] with a count of 1, in heads [batch, heads, count, headDim]. */
    String inHeads(String x, int count) {
        return count == 1
                ? graph.reshape(x, BATCH, heads, 1, headDim)
                : graph.transpose(graph.reshape(x, BATCH, count, heads, headDim), 0, 2, 1, 3);
    }

    /**
     * The averages of values by attention, see {@link org.fovea.nn.SelfAttention}.
     *
     * @param queries [batch, heads, queries, headDim], keys and values likewise
     * @param hidden 0 for a key that is seen and {@link #HIDDEN} for others, [batch, 1, 1, keys]
     */
    String attend(String queries, String keys, String values, String hidden) {
        return switch (similarity) {
            case DOT -> attend(queries, keys, values, hidden, 1 / Math.sqrt(headDim));
            case COSINE -> attend(unit(queries), unit(keys), values, hidden, Math.sqrt(headDim));
            // -|q - k|^2 but for -|q|^2, which all keys have in common.
            case EUCLIDEAN -> {
                double scale = 1 / Math.sqrt(headDim);
                String squares = graph.transpose(graph.sum(graph.multiply(keys, keys), 3, true), 0, 1, 3, 2);
                String shift = graph.multiply(squares, graph.constant(-scale));
                yield attend(queries, keys, values, graph.add(shift, hidden), 2 * scale);
            }
        };
    }

    private String attend(String queries, String keys, String values, String mask, double scale) {
        if (graph.hasAttention()) {
            return graph.apply("Attention", List.of(attribute("scale", scale)), queries, keys, values, mask);
        }
        String products = graph.matrixProduct(queries, graph.transpose(keys, 0, 1, 3, 2));
        String scores = graph.add(graph.multiply(products, graph.constant(scale)), mask);
        String weights = graph.apply("Softmax", List.of(attribute("axis", -1L)), scores);
        return graph.matrixProduct(weights, values);
    }

    /** Rows at length 1, of zeros as they are. */
    private String unit(String x) {
        String length = graph.apply("Sqrt", graph.sum(graph.multiply(x, x), 3, true));
        return graph.apply("Div", x, graph.apply("Max", length, graph.constant(SHORTEST)));
    }

    /** 0 where a condition holds, else {@link #HIDDEN}. */
    String hiddenUnless(String condition) {
        return graph.apply("Where", condition, graph.constant(0), graph.constant(HIDDEN));
    }

    /** 1 where a condition holds, else 0. */
    String number(String condition) {
        return graph.cast(condition, DataType.FLOAT);
    }
}
