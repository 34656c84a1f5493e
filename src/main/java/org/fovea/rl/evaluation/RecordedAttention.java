// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.util.ArrayList;
import java.util.List;
import org.fovea.attention.Attention;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.nn.AttentionListener;
import org.fovea.rl.policy.ReplayListener;
import org.fovea.tensor.Tensor;

/** Keeps the weights of a network's attention while it goes over an episode. */
final class RecordedAttention implements ReplayListener {
    /** Numbers that are brought to the host at a time. */
    private static final long AT_A_TIME = 1L << 22;

    /** Most weights of a layer; where there would be more, those of all queries of a step are averaged. */
    private static final long MOST_KEPT = 1L << 24;

    /** How many entities there are in a step. */
    interface Counts {
        int of(String path, int step);
    }

    private final Backend backend;
    private final Counts counts;
    private final List<AttentionMap> maps = new ArrayList<>();

    RecordedAttention(Backend backend, Counts counts) {
        this.backend = backend;
        this.counts = counts;
    }

    List<AttentionMap> maps() {
        return maps;
    }

    @Override
    public AttentionListener ofSteps(int layer) {
        return (call, result) -> {
            AttentionShape shape = call.shape();
            int heads = shape.heads();
            int steps = shape.queries();
            int window = Math.min(steps, call.spec().windowLeft() + 1);
            float[] kept = new float[Math.multiplyExact(steps * heads, window)];
            forEachQuery(call, result, (batch, head, query, weights, at) -> {
                for (int age = 0; age < Math.min(window, query + 1); age++) {
                    kept[(query * heads + head) * window + age] = weights[at + query - age];
                }
            });
            maps.add(new AttentionMap(AttentionMap.Over.STEPS, "", layer, steps, heads, 1, window, kept));
        };
    }

    @Override
    public AttentionListener ofEntities(String path, int layer) {
        return (call, result) -> {
            AttentionShape shape = call.shape();
            int steps = shape.batch();
            int heads = shape.heads();
            int most = shape.keys();
            boolean all = (long) steps * heads * most * most <= MOST_KEPT;
            int queries = all ? most : 1;
            float[] kept = new float[Math.multiplyExact(steps * heads, queries * most)];
            forEachQuery(call, result, (step, head, query, weights, at) -> {
                int present = counts.of(path, step);
                int to = ((step * heads + head) * queries + (all ? query : 0)) * most;
                for (int key = 0; key < most && query < present; key++) {
                    kept[to + key] += all ? weights[at + key] : weights[at + key] / present;
                }
            });
            maps.add(new AttentionMap(AttentionMap.Over.ENTITIES, path, layer, steps, heads, queries, most, kept));
        };
    }

    private interface Row {
        /** @param at where the weights of the query begin */
        void accept(int batch, int head, int query, float[] weights, int at);
    }

    private void forEachQuery(AttentionCall<Tensor> call, Attention.Result result, Row row) {
        AttentionShape shape = call.shape();
        int keys = shape.keys();
        int rows = shape.batch() * shape.heads();
        int atATime = (int) Math.max(1, Math.min(shape.queries(), AT_A_TIME / ((long) rows * keys)));
        AttentionOutputs<DeviceArray> outputs = new AttentionOutputs<>(
                result.output().array(), result.logSumExp().array());
        AttentionCall<DeviceArray> arrays = call.map(Tensor::array);
        for (int first = 0; first < shape.queries(); first += atATime) {
            int count = Math.min(atATime, shape.queries() - first);
            float[] weights = new float[Math.multiplyExact(rows, count * keys)];
            try (Scope scope = backend.memory().openScope()) {
                DeviceArray some = scope.allocate(outputs.logSumExp().dtype(), weights.length);
                backend.attention().weights(arrays, outputs, ScoreStage.SOFTMAX, first, some);
                backend.memory().download(some, weights, 0);
            }
            for (int i = 0; i < rows; i++) {
                for (int query = 0; query < count; query++) {
                    row.accept(
                            i / shape.heads(), i % shape.heads(), first + query, weights, (i * count + query) * keys);
                }
            }
        }
    }
}
