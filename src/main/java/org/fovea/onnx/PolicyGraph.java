// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.fovea.onnx.OnnxGraph.BATCH;

import java.util.Arrays;
import org.fovea.env.Schema;
import org.fovea.onnx.format.GraphProto;
import org.fovea.onnx.format.TensorProto.DataType;
import org.fovea.rl.config.Critic;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.policy.SavedPolicy;

/**
 * A policy as a graph: a step of any number of environments.
 *
 * <pre>
 *   observation   [batch, size]     as the environment gives it, see Schema
 *   action_mask   [batch, choices]  bool, where choices can be forbidden: which are allowed
 *   memory.*      [batch, ...]      zeros at the start of an episode, then next_memory.* of the step before
 *
 *   action        [batch, parts]    the most likely one, as the environment takes it
 *   logits        [batch, choices]  where choices are made; of forbidden ones about -1e30
 *   mean, log_std [batch, size], [size]  where numbers are given
 *   value         [batch]           of the state, in units of the rewards that were learned from
 *   next_memory.* [batch, ...]
 * </pre>
 */
final class PolicyGraph {
    private PolicyGraph() {}

    static GraphProto of(SavedPolicy policy, int opset) {
        PolicyKind kind = policy.kind();
        NetworkConfig network = policy.network();
        Critic critic = network.critic().resolved(kind.remembers(), policy.valueApart());
        OnnxGraph graph = new OnnxGraph("policy", opset);
        LayerGraph layers = new LayerGraph(graph, policy);
        int size = policy.spaces().observations().size();
        String observation = graph.input("observation", DataType.FLOAT, "as the environment gives it", BATCH, size);
        int choices =
                Arrays.stream(Schema.of(policy.spaces().actions()).choices()).sum();
        String allowed = policy.spaces().masked()
                ? graph.input("action_mask", DataType.BOOL, "which choices are allowed", BATCH, choices)
                : null;
        MemoryGraph memory = new MemoryGraph(graph);
        HistoryGraph history = new HistoryGraph(graph, layers, memory, policy);
        StepGraph step = new StepGraph(graph, layers, policy, observation, history);
        TrunkGraph trunk = new TrunkGraph(graph, layers, memory, history, network);

        boolean separate = critic == Critic.SEPARATE;
        String prefix = separate ? "policy." : kind.sharedTrunk().isEmpty() ? "" : kind.sharedTrunk() + ".";
        String head = separate ? "." + kind.head(network) : "";
        StepGraph.Features features = step.features(prefix + "features");
        String x = trunk.apply(kind, features, prefix, separate ? "policy." : "");
        String valueOf = separate ? trunk.apply(kind, step.features("value.features"), "value.", "value.") : x;

        ActionGraph actions = new ActionGraph(graph, layers, policy);
        history.acted(actions.apply(layers.linear(x, "policy" + head), features, allowed));
        String value;
        if (critic == Critic.DETACHED) {
            String first = layers.tanh(layers.linear(valueOf, "value.0"));
            value = layers.linear(layers.tanh(layers.linear(first, "value.1")), "value.2");
        } else {
            value = layers.linear(valueOf, "value" + head);
        }
        graph.output(
                "value",
                graph.reshape(value, BATCH),
                DataType.FLOAT,
                "of the state, in units of the rewards that were learned from",
                BATCH);
        memory.finish();
        if (!layers.unused().isEmpty()) {
            throw new NotExportableException("the policy has parameters that are not known, " + layers.unused()
                    + ": it is of another version of Fovea, which can export it");
        }
        return graph.build();
    }
}
