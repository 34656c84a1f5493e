// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.fovea.onnx.OnnxGraph.BATCH;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fovea.env.Schema;
import org.fovea.onnx.format.TensorProto.DataType;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.policy.StepEncoder;
import org.jspecify.annotations.Nullable;

/**
 * Where the episode is, and what was done last: the inputs {@code memory.step} and {@code memory.action}, as far as the policy is
 * shown them. As {@link StepEncoder} has it.
 */
final class HistoryGraph {
    private final OnnxGraph graph;
    private final List<String> encoded = new ArrayList<>();
    private final @Nullable String step;
    private final @Nullable String goesOn;
    private final MemoryGraph.@Nullable Place action;

    HistoryGraph(OnnxGraph graph, LayerGraph layers, MemoryGraph memory, SavedPolicy policy) {
        this.graph = graph;
        NetworkConfig network = policy.network();
        boolean remembers = policy.kind().remembers();
        boolean showsAction = network.previousAction().isShown(remembers);
        if (!remembers && !showsAction && !network.episodeStep()) {
            step = null;
            goesOn = null;
            action = null;
            return;
        }
        MemoryGraph.Place steps =
                memory.place("step", DataType.INT64, "steps that the episode has come: 0 in its first", BATCH);
        step = steps.now();
        steps.next(graph.add(step, graph.integers(new long[] {1})));
        String column = graph.reshape(step, BATCH, 1);
        String zero = graph.integers(new long[] {0});
        String later = graph.apply("Greater", column, zero);
        goesOn = layers.number(later);
        action = showsAction ? place(memory, policy) : null;
        if (action != null) {
            Schema actions = Schema.of(policy.spaces().actions());
            String shown = actions.choices().length > 0 ? layers.number(chosen(action.now(), actions)) : action.now();
            encoded.add(graph.apply("Where", later, shown, graph.constant(0)));
        }
        if (remembers) {
            encoded.add(layers.number(graph.apply("Equal", column, zero)));
        }
        if (network.episodeStep()) {
            float[] table = StepEncoder.episodeSteps();
            int rows = table.length / StepEncoder.STEP_WIDTH;
            String row = graph.apply("Mod", step, graph.integers(new long[] {rows}));
            encoded.add(
                    graph.apply("Gather", graph.constant("episode_steps", table, rows, StepEncoder.STEP_WIDTH), row));
        }
    }

    private static MemoryGraph.Place place(MemoryGraph memory, SavedPolicy policy) {
        int choices = Schema.of(policy.spaces().actions()).choices().length;
        return choices > 0
                ? memory.place(
                        "action", DataType.INT64, "the action of the step before, as action has it", BATCH, choices)
                : memory.place(
                        "action",
                        DataType.FLOAT,
                        "the action of the step before as it was drawn, from mean and log_std, without bounds",
                        BATCH,
                        policy.spaces().actions().size());
    }

    /** Which choice each part of an action was, [batch, choices]. */
    private String chosen(String ofParts, Schema actions) {
        int[] choices = actions.choices();
        int[] starts = actions.starts();
        List<Long> parts = new ArrayList<>();
        List<Long> numbers = new ArrayList<>();
        for (int part = 0; part < choices.length; part++) {
            for (int choice = 0; choice < choices[part]; choice++) {
                parts.add((long) part);
                numbers.add((long) starts[part] + choice);
            }
        }
        String each = graph.gather(ofParts, 1, longs(parts));
        return graph.apply("Equal", each, graph.integers(longs(numbers), 1, numbers.size()));
    }

    private static long[] longs(List<Long> numbers) {
        return numbers.stream().mapToLong(Long::longValue).toArray();
    }

    /** What is encoded, in order, each [batch, size]. */
    List<String> encoded() {
        return encoded;
    }

    /** Says what action the policy takes. */
    void acted(String taken) {
        if (action != null) {
            action.next(taken);
        }
    }

    /** {@code memory.step}, [batch]; of policies that have it. */
    String step() {
        return Objects.requireNonNull(step);
    }

    /** 0 in an episode's first step, else 1; [batch, 1]. Of policies that have {@code memory.step}. */
    String goesOn() {
        return Objects.requireNonNull(goesOn);
    }
}
