// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
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
    private List<String> launches(AttentionShape shape, AttentionSpec spec, boolean sinks) throws IOException {
        try (Scope scope = backend.memory().openScope()) {
            AttentionPlane<DeviceArray> in = arguments(scope, shape, sinks);
            AttentionPlane<DeviceArray> tangents = arguments(scope, shape, sinks);
            DeviceArray output = zeros(scope, shape.outputSize());
            DeviceArray logSumExp = zeros(scope, shape.logSumExpSize());
            DeviceArray dOutput = zeros(scope, shape.outputSize());
            DeviceArray outputTangent = zeros(scope, shape.outputSize());
            DeviceArray logSumExpTangent = zeros(scope, shape.logSumExpSize());
            AttentionPlane<DeviceArray> gradients =
                    arguments(scope, shape, sinks).withOutputs(outputTangent, logSumExpTangent);
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, spec, in.query(), in.key(), in.value())
                    .withSink(in.sink());
            AttentionOutputs<DeviceArray> out =
                    new AttentionOutputs<>(output, logSumExp).withState(backend.attention(), call, scope::allocate);
            AttentionPlane<DeviceArray> dOutputs = AttentionPlane.outputs(dOutput, null);
            backend.synchronize();
            return Simulator.trace(directory.resolve("calls"), () -> {
                        backend.attention().forward(call, out);
                        backend.attention().backward(call, out, dOutputs, gradients);
                        backend.attention().tangent(call, out, tangents, gradients);
                        backend.attention().backwardTangent(call, out, dOutputs, tangents, gradients);
                    })
                    .stream()
                    .filter(line -> line.startsWith("cuLaunchKernel "))
                    .map(line -> line.substring("cuLaunchKernel ".length()))
                    .toList();
        }
    }

    private AttentionPlane<DeviceArray> arguments(Scope scope, AttentionShape shape, boolean sinks) {
        return AttentionPlane.inputs(
                zeros(scope, shape.querySize()),
                zeros(scope, shape.keySize()),
                zeros(scope, shape.valueSize()),
                null,
                sinks ? zeros(scope, shape.heads()) : null);
    }

    private DeviceArray zeros(Scope scope, long length) {
        DeviceArray array = scope.allocate(DType.F32, length);
        backend.memory().fill(array, 0);
        return array;
    }
}
