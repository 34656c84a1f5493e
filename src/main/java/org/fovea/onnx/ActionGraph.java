// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.fovea.onnx.OnnxGraph.BATCH;
import static org.fovea.onnx.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.onnx.format.TensorProto.DataType;
import org.fovea.rl.config.ActionLimit;
import org.fovea.rl.policy.SavedPolicy;
import org.jspecify.annotations.Nullable;

/** Outputs {@code action}, and {@code logits} or {@code mean} and {@code log_std}, of what the policy's last layer gives. */
final class ActionGraph {
    private final OnnxGraph graph;
    private final LayerGraph layers;
    private final Schema actions;
    private final ActionLimit limit;

    ActionGraph(OnnxGraph graph, LayerGraph layers, SavedPolicy policy) {
        this.graph = graph;
        this.layers = layers;
        this.actions = Schema.of(policy.spaces().actions());
        this.limit = policy.network().actionLimit();
    }

    /**
     * Adds the outputs.
     *
     * @param numbers of the last layer
     * @param step that they were made of
     * @param allowed choices, [batch, choices]; null where all are
     * @return what is remembered of the action
     */
    String apply(String numbers, StepGraph.Features step, @Nullable String allowed) {
        return actions.choices().length > 0 ? choose(numbers, step, allowed) : give(numbers);
    }

    private String choose(String numbers, StepGraph.Features step, @Nullable String allowed) {
        int[] choices = actions.choices();
        int all = Arrays.stream(choices).sum();
        String logits = logits(numbers, step);
        if (allowed != null) {
            logits = graph.add(
                    logits, graph.apply("Where", allowed, graph.constant(0), graph.constant(StepEncoding.FORBIDDEN)));
        }
        long[] starts = new long[choices.length];
        long[] lengths = new long[choices.length];
        for (int part = 0; part < choices.length; part++) {
            starts[part] = actions.starts()[part];
            lengths[part] = choices[part];
        }
        boolean alike = Arrays.stream(choices).allMatch(n -> n == choices[0]);
        String best;
        if (alike) {
            best = largestOf(graph.reshape(logits, BATCH, choices.length, choices[0]), 2, false);
        } else {
            best = graph.concat(
                    1,
                    graph.split(logits, 1, lengths).stream()
                            .map(part -> largestOf(part, 1, true))
                            .toList());
        }
        if (Arrays.stream(starts).anyMatch(start -> start != 0)) {
            best = graph.add(best, graph.integers(starts, starts.length));
        }
        graph.output(
                "action",
                best,
                DataType.INT64,
                "the most likely action, a number for each choice",
                BATCH,
                choices.length);
        graph.output(
                "logits",
                logits,
                DataType.FLOAT,
                "of all choices, one part of the action behind the other; the softmax of each part is its probabilities",
                BATCH,
                all);
        return best;
    }

    private String largestOf(String x, int axis, boolean keep) {
        return graph.apply("ArgMax", List.of(attribute("axis", (long) axis), attribute("keepdims", keep ? 1L : 0)), x);
    }

    /**
     * Logits of the choices that there are, [batch, choices]. The last layer has as many for each part as the part with most; where
     * an entity is chosen it gives a query instead, see {@code PolicyOutputs}.
     */
    private String logits(String numbers, StepGraph.Features step) {
        int most = Arrays.stream(actions.choices()).max().orElseThrow();
        List<String> parts = new ArrayList<>();
        List<Long> plain = new ArrayList<>();
        long at = 0;
        for (Schema.Leaf leaf : actions.leaves()) {
            if (leaf.space() instanceof Space.EntityChoice choice) {
                addPlain(numbers, plain, parts);
                StepGraph.EncodedSet set = Objects.requireNonNull(step.sets().get(choice.entities()));
                String query =
                        graph.reshape(graph.slice(numbers, 1, at, at + layers.width()), BATCH, layers.width(), 1);
                String products = graph.reshape(graph.matrixProduct(set.things(), query), BATCH, choice.most());
                String scale = graph.constant(1 / Math.sqrt(layers.width()));
                parts.add(graph.add(graph.multiply(products, scale), set.hidden()));
                at += layers.width();
            } else {
                for (int choices : Schema.of(leaf.space()).choices()) {
                    for (int i = 0; i < choices; i++) {
                        plain.add(at + i);
                    }
                    at += most;
                }
            }
        }
        if (parts.isEmpty() && plain.size() == at) {
            return numbers;
        }
        addPlain(numbers, plain, parts);
        return graph.concat(1, parts);
    }

    private void addPlain(String numbers, List<Long> plain, List<String> parts) {
        if (!plain.isEmpty()) {
            parts.add(graph.gather(
                    numbers, 1, plain.stream().mapToLong(Long::longValue).toArray()));
            plain.clear();
        }
    }

    /** See {@link org.fovea.rl.policy.ActionBounds}. */
    private String give(String mean) {
        Space.Box box = actions.box().orElseThrow();
        int size = box.size();
        float[] low = box.low();
        float[] high = box.high();
        float[] middle = new float[size];
        float[] halfRange = new float[size];
        boolean[] bounded = new boolean[size];
        for (int i = 0; i < size; i++) {
            bounded[i] = box.isBounded(i);
            middle[i] = bounded[i] ? (float) (0.5 * ((double) low[i] + high[i])) : 0;
            halfRange[i] = bounded[i] ? (float) (0.5 * ((double) high[i] - low[i])) : 1;
        }
        String unit = limit == ActionLimit.TANH
                ? graph.apply("Where", graph.constant(bounded, size), layers.tanh(mean), mean)
                : mean;
        String scaled = graph.add(graph.multiply(unit, graph.constant(halfRange, size)), graph.constant(middle, size));
        String action =
                graph.apply("Min", graph.apply("Max", scaled, graph.constant(low, size)), graph.constant(high, size));
        graph.output("action", action, DataType.FLOAT, "the most likely action, within its bounds", BATCH, size);
        graph.output(
                "mean", mean, DataType.FLOAT, "of the normal distribution that actions are drawn from", BATCH, size);
        graph.output(
                "log_std",
                layers.parameter("policy.log_std"),
                DataType.FLOAT,
                "logarithms of its standard deviations",
                size);
        return mean;
    }
}
