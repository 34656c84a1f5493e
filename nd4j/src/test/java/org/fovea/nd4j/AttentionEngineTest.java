// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.ShapeException;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Threads, workspaces, ends of life, and what is refused. */
final class AttentionEngineTest {
    private static final WorkspaceConfiguration CONFIGURATION = WorkspaceConfiguration.builder()
            .initialSize(1 << 20)
            .policyLearning(LearningPolicy.NONE)
            .build();

    private static INDArray rows(DataType type, int seed) {
        return Arrays4.C.normal(type, seed, 2, 2, 4, 3);
    }

    private static AttentionCall<INDArray> call(int seed) {
        return FusedAttention.call(
                rows(DataType.FLOAT, seed), rows(DataType.FLOAT, 98), rows(DataType.FLOAT, 99), AttentionSpec.DEFAULT);
    }

    private static MemoryWorkspace workspace(String name) {
        return Nd4j.getWorkspaceManager().getAndActivateWorkspace(CONFIGURATION, name);
    }

    @Test
    void manyThreadsGetWhatOneGets() throws Exception {
        List<INDArray> alone = IntStream.range(0, 8)
                .mapToObj(i -> FusedAttention.backward(call(i), AttentionPlane.outputs(rows(DataType.FLOAT, 7), null))
                        .query())
                .toList();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            for (int round = 0; round < 5; round++) {
                List<Future<INDArray>> together = IntStream.range(0, 8)
                        .mapToObj(i -> threads.submit(() -> FusedAttention.backward(
                                        call(i), AttentionPlane.outputs(rows(DataType.FLOAT, 7), null))
                                .query()))
                        .toList();
                for (int i = 0; i < 8; i++) {
                    assertThat(together.get(i).get()).isEqualTo(alone.get(i));
                }
            }
        } finally {
            threads.shutdown();
        }
    }

    /** Its memory is another array's by then. */
    @Test
    void aPassOutlivesTheWorkspaceOfItsInputs() {
        AttentionPlane<INDArray> dOutputs = AttentionPlane.outputs(rows(DataType.FLOAT, 7), null);
        AttentionPlane<INDArray> expected = FusedAttention.backward(call(1), dOutputs);
        AttentionPass pass;
        try (MemoryWorkspace workspace = workspace("first")) {
            AttentionCall<INDArray> call = call(1);
            assertThat(call.query().isAttached()).isTrue();
            pass = AttentionEngine.shared().pass(call);
            INDArray output = pass.outputs().output();
            assertThat(output.isAttached()).isTrue();
            assertThat(output.detach().isAttached()).isFalse();
        }
        try (MemoryWorkspace workspace = workspace("first")) {
            Nd4j.createUninitialized(DataType.FLOAT, 4000).assign(Double.NaN);
            try (MemoryWorkspace outside = Nd4j.getWorkspaceManager().scopeOutOfWorkspaces()) {
                AttentionPlane<INDArray> gradients = pass.backward(dOutputs);
                assertThat(gradients.key().isAttached()).isFalse();
                assertThat(gradients.query()).isEqualTo(expected.query());
                assertThat(gradients.key()).isEqualTo(expected.key());
            }
        }
        pass.close();
        pass.close();
        assertThatThrownBy(() -> pass.backward(dOutputs))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("AttentionPass is closed");
    }

    @Test
    void arraysWithoutMemoryOfTheirOwnAreRefused() throws Exception {
        INDArray key = rows(DataType.FLOAT, 2);
        INDArray left;
        try (MemoryWorkspace workspace = workspace("left")) {
            left = rows(DataType.FLOAT, 1);
            INDArray foreign = left;
            Thread thread = new Thread(() -> refused(foreign, key, "another thread", "detach()", "left", "FLOAT"));
            Throwable[] failure = new Throwable[1];
            thread.setUncaughtExceptionHandler((t, e) -> failure[0] = e);
            thread.start();
            thread.join();
            assertThat(failure[0]).isNull();
        }
        refused(left, key, "query", "[2, 2, 4, 3]", "left", "is closed", "detach()");
        try (MemoryWorkspace workspace = workspace("left")) {
            refused(left, key, "opened again", "detach()");
        }
        INDArray closed = rows(DataType.FLOAT, 1);
        closed.close();
        refused(closed, key, "query", "was closed");
    }

    private static void refused(INDArray query, INDArray key, String... words) {
        assertThatThrownBy(() -> FusedAttention.forward(query, key, key))
                .isInstanceOf(IllegalStateException.class)
                .satisfies(e -> assertThat(e.getMessage()).contains(words));
    }

    @Test
    void typesAndShapesThatDoNotFitAreBothPrinted() {
        INDArray q = rows(DataType.FLOAT, 1);
        INDArray d = rows(DataType.DOUBLE, 2);
        assertThatThrownBy(() -> FusedAttention.forward(q, d, d))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("key is DOUBLE [2, 2, 4, 3]")
                .hasMessageContaining("query is FLOAT [2, 2, 4, 3]")
                .hasMessageContaining("castTo(DataType.FLOAT)");
        INDArray integers = Nd4j.ones(DataType.LONG, 2, 2, 4, 3);
        assertThatThrownBy(() -> FusedAttention.forward(integers, integers, integers))
                .hasMessageContaining("query is LONG [2, 2, 4, 3]")
                .hasMessageContaining("castTo");
        INDArray ints = Nd4j.ones(DataType.INT, 2, 2, 4, 3);
        assertThatThrownBy(() -> FusedAttention.forward(ints, ints, ints)).hasMessageContaining("query is INT");
        INDArray narrow = Nd4j.ones(DataType.FLOAT, 2, 2, 4, 2);
        assertThatThrownBy(() -> FusedAttention.forward(q, narrow, narrow))
                .isInstanceOf(ShapeException.class)
                .hasMessageContaining("query is FLOAT [2, 2, 4, 3]")
                .hasMessageContaining("key is FLOAT [2, 2, 4, 2]");
        assertThatThrownBy(() -> FusedAttention.forward(q, q.reshape(2, 8, 3), q))
                .hasMessageContaining("[2, 8, 3]");
        assertThatThrownBy(() ->
                        FusedAttention.forward(call(1).withMask(AttentionMask.keyLengths(Nd4j.ones(DataType.LONG, 2)))))
                .hasMessageContaining("keyLengths is LONG [2]")
                .hasMessageContaining("INT");
        assertThatThrownBy(() -> FusedAttention.forward(call(1).withSink(Nd4j.ones(DataType.FLOAT, 3))))
                .isInstanceOf(ShapeException.class)
                .hasMessageContaining("sink is FLOAT [3]")
                .hasMessageContaining("[2]");
        assertThatThrownBy(() -> FusedAttention.backward(call(1), AttentionPlane.outputs(narrow, null)))
                .hasMessageContaining("gradient of output is FLOAT [2, 2, 4, 2]")
                .hasMessageContaining("[2, 2, 4, 3]");
        INDArray one = Nd4j.ones(DataType.FLOAT, 1, 1, 1, 3);
        INDArray broadcast = Nd4j.create(one.data(), new long[] {2, 2, 4, 3}, new long[] {0, 0, 0, 1}, 0, 'c');
        assertThatThrownBy(() -> AttentionEngine.shared().forward(call(1), AttentionPlane.outputs(broadcast, null)))
                .hasMessageContaining("strides [0, 0, 0, 1]")
                .hasMessageContaining("dup()");
        AttentionPlane<INDArray> sink = AttentionPlane.inputs(q, q, q, null, Nd4j.ones(DataType.FLOAT, 2));
        assertThatThrownBy(() -> FusedAttention.jvp(call(1), sink)).hasMessageContaining("the call has no sink");
    }

    @Test
    void anEngineOfOnesOwnIsClosedAndTheSharedOneIsNot() {
        AttentionEngine engine = AttentionEngine.open("cpu");
        assertThat(engine.forward(call(1)).output())
                .isEqualTo(FusedAttention.forward(call(1)).output());
        assertThat(engine.description()).startsWith("cpu");
        AttentionPass pass = engine.pass(call(1));
        engine.close();
        engine.close();
        pass.close();
        assertThatThrownBy(() -> engine.forward(call(1))).hasMessageContaining("closed");
        assertThatThrownBy(() -> AttentionEngine.shared().close()).hasMessageContaining("shared");
        assertThatThrownBy(() -> AttentionEngine.open("abacus")).hasMessageContaining("abacus");
    }
}
