// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("integration")
class CudaBackendTest {
    private Backend backend;

    @BeforeEach
    void open() {
        backend = Simulator.open();
    }

    @AfterEach
    void close() {
        if (backend != null) {
            backend.close();
        }
    }

    private DeviceArray array(float[] values) {
        DeviceArray array = backend.memory().allocate(DType.F32, values.length);
        backend.memory().upload(values, 0, array);
        return array;
    }

    private float[] read(DeviceArray array) {
        float[] values = new float[(int) array.length()];
        backend.memory().download(array, values, 0);
        return values;
    }

    @Test
    void attentionThroughJCudaEqualsTheFormula() {
        int heads = 3;
        int rows = 17;
        int dim = 5;
        SplittableRandom random = new SplittableRandom(1);
        float[][] qkv = new float[3][heads * rows * dim];
        for (float[] values : qkv) {
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextDouble(-2, 2);
            }
        }
        AttentionShape shape = new AttentionShape(1, heads, rows, rows, dim, dim, AttentionShape.Layout.BHND);
        DeviceArray output = backend.memory().allocate(DType.F32, shape.outputSize());
        DeviceArray logSumExp = backend.memory().allocate(DType.F32, shape.logSumExpSize());

        backend.attention()
                .forward(
                        AttentionCall.of(
                                shape,
                                AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.TOP_LEFT),
                                array(qkv[0]),
                                array(qkv[1]),
                                array(qkv[2])),
                        new AttentionOutputs<>(output, logSumExp));

        float[] actual = read(output);
        float[] actualLogSumExp = read(logSumExp);
        for (int row = 0; row < heads * rows; row++) {
            int head = row / rows;
            double[] out = new double[dim];
            double sum = 0;
            for (int key = 0; key <= row % rows; key++) {
                double dot = 0;
                for (int d = 0; d < dim; d++) {
                    dot += (double) qkv[0][row * dim + d] * qkv[1][(head * rows + key) * dim + d];
                }
                double weight = Math.exp(dot / Math.sqrt(dim));
                sum += weight;
                for (int d = 0; d < dim; d++) {
                    out[d] += weight * qkv[2][(head * rows + key) * dim + d];
                }
            }
            assertThat((double) actualLogSumExp[row]).isCloseTo(Math.log(sum), within(1e-5));
            for (int d = 0; d < dim; d++) {
                assertThat((double) actual[row * dim + d]).isCloseTo(out[d] / sum, within(1e-5));
            }
        }
    }

    @Test
    void largeCopiesPassThroughTheStagingBufferUnchanged() {
        float[] values = new float[5_000_011];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        DeviceArray array = array(values);
        assertThat(read(array)).isEqualTo(values);
        assertThat(read(array.slice(4_999_990, 21))).startsWith(4_999_990f).endsWith(5_000_010f);
    }

    @Test
    void memoryIsRecycledAndCounted() {
        for (int i = 0; i < 3; i++) {
            try (Scope scope = backend.memory().openScope()) {
                scope.allocate(DType.F32, 1000);
                scope.allocate(DType.I32, 13);
                assertThat(backend.memory().liveBytes()).isEqualTo(4052);
            }
            assertThat(backend.memory().liveBytes()).isZero();
            assertThat(backend.memory().reservedBytes()).isEqualTo(4096 + 512);
        }
    }

    @Test
    void anArrayEndsWithItsScope() {
        DeviceArray escaped;
        try (Scope scope = backend.memory().openScope()) {
            escaped = scope.allocate(DType.F32, 7);
        }
        assertThat(escaped.isAlive()).isFalse();
        assertThatThrownBy(() -> backend.memory().fill(escaped, 1))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("fill: target F32[7] (ended)");
    }

    @Test
    void anotherThreadIsRefused() throws InterruptedException {
        Throwable[] thrown = new Throwable[1];
        Thread other = new Thread(
                () -> {
                    try {
                        backend.memory().allocate(DType.F32, 1);
                    } catch (IllegalStateException e) {
                        thrown[0] = e;
                    }
                },
                "another");
        other.start();
        other.join();
        assertThat(thrown[0]).hasMessageContaining("'" + Thread.currentThread().getName() + "'");
        assertThat(thrown[0]).hasMessageContaining("'another'");
    }

    @Test
    void mapsOverwriteTheirInput() {
        DeviceArray x = array(new float[] {-2, 0, 3});
        backend.math().map(UnaryOp.SQUARE, x, x);
        assertThat(read(x)).containsExactly(4, 0, 9);
    }
}
