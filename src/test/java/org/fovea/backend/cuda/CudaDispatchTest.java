// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which kernels compute an attention: those for tensor cores, wherever they can. The others would be right too, and slow. */
@Tag("integration")
class CudaDispatchTest {
    private static final AttentionSpec CAUSAL = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.TOP_LEFT);
    private static final AttentionSpec CONTINUED = CAUSAL.withPastKeys(4);

    @TempDir
    private Path directory;

    private Backend backend;

    @BeforeEach
    void open() {
        Simulator.assumeSimulated();
        backend = Simulator.open();
    }

    @AfterEach
    void close() {
        if (backend != null) {
            backend.close();
        }
    }

    private static AttentionShape shape(int keyHeads, int dim) {
        return new AttentionShape(1, 4, keyHeads, 5, 9, dim, dim, AttentionShape.Layout.BNHD);
    }

    @Test
    void headsOfTheirOwnFitIntoABlock() throws IOException {
        assertThat(launches(shape(4, 16), CONTINUED, false))
                .containsExactly(
                        "attention_forward_whole_f32_d16_m16",
                        "attention_backward_whole_f32_d16_m16",
                        "attention_jvp_f32_d32_r64_m32",
                        "attention_tangent_whole_f32_d16_m16");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void groupedHeadsAreForTensorCores(int keyHeads) throws IOException {
        assertThat(launches(shape(keyHeads, 40), CONTINUED, false))
                .containsExactly(
                        "attention_forward_whole_f32_d64_m32",
                        "attention_backward_rows_f32_d64_r64_m32",
                        "attention_backward_columns_f32_d64_r64_m32",
                        "attention_jvp_f32_d64_r64_m16",
                        "attention_jvp_f32_d64_r64_m16",
                        "attention_tangent_rows_f32_d64_r64_m16",
                        "attention_tangent_columns_f32_d64_r64_m16");
    }

    @Test
    void ofASinkOnlyTheGradientIsNot() throws IOException {
        assertThat(launches(shape(4, 16), CAUSAL, true))
                .containsExactly(
                        "attention_forward_whole_f32_d16_m16",
                        "attention_backward_whole_f32_d16_m16",
                        "attention_sink",
                        "attention_jvp_f32_d32_r64_m32",
                        "attention_tangent_whole_f32_d16_m16",
                        "attention_sink");
    }

    @Test
    void aSoftcapIsNot() throws IOException {
        assertThat(launches(shape(4, 16), CAUSAL.withSoftcap(3), false))
                .isNotEmpty()
                .allMatch(kernel -> kernel.startsWith("attention_series_"));
    }

    /** Of the forward, the backward, the tangent of the forward and that of the backward. */
    private List<String> launches(AttentionShape shape, AttentionSpec spec, boolean sink) throws IOException {
        AttentionFeatures plain = new AttentionFeatures("dispatched", shape, spec);
        try (Backend reference = new ReferenceBackend();
                Pair pair = new Pair(backend, reference)) {
            AttentionProblem problem = new AttentionProblem(pair, sink ? plain.withSink() : plain, 1);
            return Simulator.trace(directory.resolve("calls"), () -> {
                        problem.forward();
                        problem.backward(true);
                        problem.tangent();
                        problem.backwardTangent(AttentionProblem.Given.EVERYTHING);
                    })
                    .stream()
                    .filter(line -> line.startsWith("cuLaunchKernel attention_"))
                    .map(line -> line.substring("cuLaunchKernel ".length()))
                    .toList();
        }
    }
}
