// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import org.fovea.backend.attention.AttentionSpec;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** The example of docs/nd4j.md, beside one graph with SameDiff's own attention. */
final class SameDiffAttentionTest {
    private static final int BATCH = 2;
    private static final int TIME = 5;
    private static final int DIM = 4;

    private final INDArray x = Nd4j.randn(DataType.FLOAT, BATCH, 1, TIME, DIM);
    private final INDArray labels = Nd4j.randn(DataType.FLOAT, BATCH, 1, TIME, DIM);
    private final INDArray wq = Nd4j.randn(DataType.FLOAT, DIM, DIM);
    private final INDArray wv = Nd4j.randn(DataType.FLOAT, DIM, DIM);
    private final INDArray wo = Nd4j.randn(DataType.FLOAT, DIM, DIM);

    private static SDVariable project(SameDiff graph, SDVariable rows, SDVariable weight) {
        return graph.reshape(graph.mmul(graph.reshape(rows, BATCH * TIME, DIM), weight), BATCH, 1, TIME, DIM);
    }

    private static SDVariable loss(SameDiff graph, SDVariable attention, INDArray weight) {
        SDVariable labels = graph.placeHolder("labels", DataType.FLOAT, BATCH, 1, TIME, DIM);
        SDVariable output = project(graph, attention, graph.var("wo", weight.dup()));
        SDVariable error = output.sub(labels);
        return error.mul(error).mean().rename("loss");
    }

    private SameDiffAttention fused(SameDiff before, SameDiff after) {
        SDVariable input = before.placeHolder("x", DataType.FLOAT, BATCH, 1, TIME, DIM);
        SDVariable query = project(before, input, before.var("wq", wq.dup()));
        SDVariable value = project(before, input, before.var("wv", wv.dup()));
        SDVariable attention = after.placeHolder("attention", DataType.FLOAT, BATCH, 1, TIME, DIM);
        after.setLossVariables(loss(after, attention, wo));
        return new SameDiffAttention(query, input, value, AttentionSpec.DEFAULT, after, "attention");
    }

    private SameDiff own() {
        SameDiff graph = SameDiff.create();
        SDVariable input = graph.placeHolder("x", DataType.FLOAT, BATCH, 1, TIME, DIM);
        SDVariable query = project(graph, input, graph.var("wq", wq.dup()));
        SDVariable value = project(graph, input, graph.var("wv", wv.dup()));
        SDVariable scores = graph.mmul(
                        graph.reshape(query, BATCH, TIME, DIM),
                        graph.permute(graph.reshape(input, BATCH, TIME, DIM), 0, 2, 1))
                .div(Math.sqrt(DIM));
        SDVariable attention = graph.mmul(graph.nn.softmax(scores, 2), graph.reshape(value, BATCH, TIME, DIM));
        graph.setLossVariables(loss(graph, graph.reshape(attention, BATCH, 1, TIME, DIM), wo));
        return graph;
    }

    @Test
    void lossAndGradientsAreThoseOfOneGraph() {
        SameDiff before = SameDiff.create();
        SameDiff after = SameDiff.create();
        SameDiffAttention fused = fused(before, after);
        SameDiff own = own();
        Map<String, INDArray> data = Map.of("x", x, "labels", labels);
        for (int step = 0; step < 3; step++) {
            double loss = fused.output(data, "loss").get("loss").getDouble(0);
            assertThat(loss).isCloseTo(own.output(data, "loss").get("loss").getDouble(0), within(1e-4));
            Map<String, INDArray> gradients = fused.gradients(data);
            Map<String, INDArray> expected = own.calculateGradients(data, "wq", "wv", "wo");
            assertThat(gradients.keySet()).isEqualTo(expected.keySet());
            gradients.forEach((name, gradient) -> {
                assertThat(gradient.sub(expected.get(name)).amaxNumber().doubleValue())
                        .as(name)
                        .isLessThan(1e-4);
                SameDiff graph = before.hasVariable(name) ? before : after;
                graph.getVariable(name).getArr().subi(gradient.mul(0.1));
                own.getVariable(name).getArr().subi(expected.get(name).mul(0.1));
            });
        }
    }

    @Test
    void whatCannotBeJoinedIsNamed() {
        SameDiff before = SameDiff.create();
        SDVariable rows = before.placeHolder("x", DataType.FLOAT, 1, 1, 2, 2);
        SameDiff after = SameDiff.create();
        after.placeHolder("other", DataType.FLOAT, 1, 1, 2, 2);
        assertThatThrownBy(() -> new SameDiffAttention(rows, rows, rows, AttentionSpec.DEFAULT, after, "attention"))
                .hasMessageContaining("attention")
                .hasMessageContaining("other");
        assertThatThrownBy(() -> new SameDiffAttention(rows, rows, rows, AttentionSpec.DEFAULT, before, "x"))
                .hasMessageContaining("one graph");
    }
}
