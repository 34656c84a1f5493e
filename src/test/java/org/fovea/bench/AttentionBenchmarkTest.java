// SPDX-License-Identifier: Apache-2.0
package org.fovea.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs the benchmark's bodies once, so that what is measured is known to be right. */
class AttentionBenchmarkTest {
    private static final int LENGTH = 33;
    private static final int DIM = 24;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theMeasuredPassesAreAttention(boolean causal) {
        AttentionBenchmark benchmark = new AttentionBenchmark();
        benchmark.shape = "2x3x" + LENGTH + "x" + DIM;
        benchmark.causal = causal;
        benchmark.open();
        float[] output = benchmark.download(benchmark.forward());
        float[] dQuery = benchmark.download(benchmark.backward());
        float[] query = benchmark.download(benchmark.call().query());
        float[] key = benchmark.download(benchmark.call().key());
        float[] value = benchmark.download(benchmark.call().value());
        benchmark.close();
        assertThat(dQuery).doesNotContain(Float.NaN).isNotEqualTo(new float[dQuery.length]);
        for (int head = 0; head < 6; head++) {
            for (int i = 0; i < LENGTH; i++) {
                assertRowIsAttention(query, key, value, output, head * LENGTH, i, causal ? i + 1 : LENGTH);
            }
        }
    }

    private static void assertRowIsAttention(
            float[] query, float[] key, float[] value, float[] output, int firstRow, int i, int visible) {
        double[] weighted = new double[DIM];
        double sum = 0;
        for (int j = 0; j < visible; j++) {
            double dot = 0;
            for (int c = 0; c < DIM; c++) {
                dot += (double) query[(firstRow + i) * DIM + c] * key[(firstRow + j) * DIM + c];
            }
            double weight = Math.exp(dot / Math.sqrt(DIM));
            sum += weight;
            for (int c = 0; c < DIM; c++) {
                weighted[c] += weight * value[(firstRow + j) * DIM + c];
            }
        }
        for (int c = 0; c < DIM; c++) {
            assertThat((double) output[(firstRow + i) * DIM + c]).isCloseTo(weighted[c] / sum, Offset.offset(1e-5));
        }
    }
}
