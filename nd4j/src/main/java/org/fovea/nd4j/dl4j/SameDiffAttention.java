// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.nd4j.AttentionEngine;
import org.fovea.nd4j.AttentionPass;
import org.fovea.nd4j.FusedAttention;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.VariableType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Fused attention between two graphs of SameDiff. SameDiff has no operations that Java computes, so what comes before attention
 * and what comes after it are a graph each; this evaluates and differentiates them as one function.
 *
 * <p>{@code SameDiff.fit} trains one graph alone, and so cannot train both: apply what {@link #gradients} gives by an updater of ND4J's to
 * the variables of each, or build the network of DL4J's layers with {@link FoveaAttentionLayer}.
 *
 * <p>The graph before gives query, key and value, [batch, heads, rows, dim]; the graph after has a placeholder that takes the output,
 * and a loss. Placeholders are given by name to whichever graph has them. Not to be used by several threads at once, as
 * SameDiff's graphs.
 */
public final class SameDiffAttention {
    private static final String GRADIENT = "-fovea-gradient";

    private final SameDiff before;
    private final List<String> inputs;
    private final AttentionSpec spec;
    private final SameDiff after;
    private final String output;
    private boolean differentiated;

    /**
     * Joins two graphs.
     *
     * @param output the placeholder of the graph after that takes attention's output
     */
    @SuppressWarnings("ReferenceEquality") // the very same graph
    public SameDiffAttention(
            SDVariable query, SDVariable key, SDVariable value, AttentionSpec spec, SameDiff after, String output) {
        before = query.getSameDiff();
        this.spec = spec;
        this.after = after;
        this.output = output;
        inputs = List.of(query.name(), key.name(), value.name());
        if (key.getSameDiff() != before || value.getSameDiff() != before || after == before) {
            throw new IllegalArgumentException(
                    "query, key and value must be of one graph, and the graph after another");
        }
        if (!after.hasVariable(output) || after.getVariable(output).getVariableType() != VariableType.PLACEHOLDER) {
            throw new IllegalArgumentException("the graph after has no placeholder '" + output + "', but "
                    + after.inputs() + "; name the one that takes attention's output");
        }
        // The gradient of this sum for a parameter is what the gradients of query, key and value come to.
        SDVariable sum = null;
        for (SDVariable input : List.of(query, key, value)) {
            if (!before.hasVariable(input.name() + GRADIENT)) {
                SDVariable gradient = before.placeHolder(input.name() + GRADIENT, input.dataType(), -1, -1, -1, -1);
                SDVariable part = input.mul(gradient).sum();
                sum = sum == null ? part : sum.add(part);
            }
        }
        if (sum != null) {
            before.setLossVariables(sum);
        }
    }

    /** Variables of the graph after, by name. */
    public Map<String, INDArray> output(Map<String, INDArray> placeholders, String... names) {
        AttentionCall<INDArray> call = call(placeholders);
        return after.output(
                withOutput(
                        placeholders,
                        requireNonNull(FusedAttention.forward(call).output())),
                names);
    }

    /** The gradients of the loss of the graph after for all trained variables of both graphs, by name. */
    public Map<String, INDArray> gradients(Map<String, INDArray> placeholders) {
        try (AttentionPass pass = AttentionEngine.shared().pass(call(placeholders))) {
            if (!differentiated) {
                after.createGradFunction(output); // placeholders have no gradient unless it is asked for
                differentiated = true;
            }
            List<String> wanted = variables(after);
            wanted.add(output);
            Map<String, INDArray> gradients = new HashMap<>(after.calculateGradients(
                    withOutput(placeholders, requireNonNull(pass.outputs().output())), wanted));
            AttentionPlane<INDArray> d = pass.backward(AttentionPlane.outputs(gradients.remove(output), null));
            Map<String, INDArray> given = of(before, placeholders);
            given.put(inputs.get(0) + GRADIENT, d.query());
            given.put(inputs.get(1) + GRADIENT, d.key());
            given.put(inputs.get(2) + GRADIENT, d.value());
            before.calculateGradients(given, variables(before)).forEach((name, gradient) -> {
                if (gradients.put(name, gradient) != null) {
                    throw new IllegalStateException("both graphs have a variable '" + name + "'; rename one");
                }
            });
            return gradients;
        }
    }

    private AttentionCall<INDArray> call(Map<String, INDArray> placeholders) {
        Map<String, INDArray> rows = before.output(of(before, placeholders), inputs.toArray(new String[0]));
        return FusedAttention.call(
                requireNonNull(rows.get(inputs.get(0))),
                requireNonNull(rows.get(inputs.get(1))),
                requireNonNull(rows.get(inputs.get(2))),
                spec);
    }

    private Map<String, INDArray> withOutput(Map<String, INDArray> placeholders, INDArray attention) {
        Map<String, INDArray> given = of(after, placeholders);
        given.put(output, attention);
        return given;
    }

    private static Map<String, INDArray> of(SameDiff graph, Map<String, INDArray> placeholders) {
        Map<String, INDArray> given = new HashMap<>(placeholders);
        given.keySet().removeIf(name -> !graph.hasVariable(name));
        return given;
    }

    private static List<String> variables(SameDiff graph) {
        List<String> names = new ArrayList<>();
        for (SDVariable variable : graph.variables()) {
            if (variable.getVariableType() == VariableType.VARIABLE) {
                names.add(variable.name());
            }
        }
        return names;
    }
}
