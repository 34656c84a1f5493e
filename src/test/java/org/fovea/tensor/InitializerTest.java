// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.reference.ReferenceBackend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** First values of parameters. */
class InitializerTest {

    @ParameterizedTest
    @CsvSource({"1,1", "5,3", "3,5", "17,17", "33,6", "64,256"})
    void orthogonalRowsOrColumnsAreOrthonormalTimesTheGain(int rows, int columns) {
        double gain = Math.sqrt(2);
        double[] matrix = Initializer.orthogonal(gain).values(new int[] {rows, columns}, new Random(1));
        int vectors = Math.min(rows, columns);
        for (int i = 0; i < vectors; i++) {
            for (int j = 0; j < vectors; j++) {
                double dot = 0;
                for (int k = 0; k < Math.max(rows, columns); k++) {
                    dot += rows >= columns
                            ? matrix[k * columns + i] * matrix[k * columns + j]
                            : matrix[i * columns + k] * matrix[j * columns + k];
                }
                assertThat(dot).isCloseTo(i == j ? 2 : 0, within(1e-12));
            }
        }
    }

    /** Without the sign convention of R the diagonal would lean to one side. */
    @Test
    void orthogonalMatricesFavourNoSign() {
        Random random = new Random(1);
        int positive = 0;
        int draws = 2000;
        for (int i = 0; i < draws; i++) {
            positive += Initializer.orthogonal(1).values(new int[] {3, 3}, random)[0] > 0 ? 1 : 0;
        }
        assertThat(positive).isBetween(900, 1100);
    }

    @Test
    void normalAndUniformHaveTheirMoments() {
        int[] shape = {100, 1000};
        assertThat(std(Initializer.normal(0.3).values(shape, new Random(2)))).isCloseTo(0.3, within(0.003));
        double[] uniform = Initializer.uniform(0.3).values(shape, new Random(2));
        assertThat(std(uniform)).isCloseTo(0.3 / Math.sqrt(3), within(0.003));
        assertThat(Arrays.stream(uniform).map(Math::abs).max().orElse(1)).isLessThanOrEqualTo(0.3);
    }

    @Test
    void valuesDependOnSeedAndNameNotOnOrder() {
        try (Backend backend = new ReferenceBackend()) {
            double[] first = initial(backend, 1, "a", "b");
            double[] second = initial(backend, 1, "b", "a");
            assertThat(first[0]).isEqualTo(second[16]);
            assertThat(first[16]).isEqualTo(second[0]);
            assertThat(first[0]).isNotEqualTo(first[16]);
            assertThat(initial(backend, 2, "a", "b")[0]).isNotEqualTo(first[0]);
        }
    }

    @Test
    void parametersRefuseMisuse() {
        try (Backend backend = new ReferenceBackend()) {
            Parameters parameters = new Parameters(backend, 1);
            Parameter weight = parameters.declare("weight", Initializer.ones(), 3);
            assertThatThrownBy(weight::value)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("weight");
            assertThatThrownBy(() -> parameters.declare("weight", Initializer.ones(), 2))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("weight");
            parameters.allocate();
            assertThatThrownBy(() -> parameters.declare("late", Initializer.ones(), 2))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("late");
            assertThat(parameters.count()).isEqualTo(3);
            assertThat(parameters.length()).isEqualTo(16);
        }
    }

    private static double[] initial(Backend backend, long seed, String... names) {
        Parameters parameters = new Parameters(backend, seed);
        for (String name : names) {
            parameters.declare(name, Initializer.normal(1), 2);
        }
        parameters.allocate();
        double[] values = new double[(int) parameters.length()];
        backend.memory().download(parameters.values(), values, 0);
        return values;
    }

    private static double std(double[] values) {
        double mean = Arrays.stream(values).average().orElse(Double.NaN);
        return Math.sqrt(Arrays.stream(values)
                .map(x -> (x - mean) * (x - mean))
                .average()
                .orElse(Double.NaN));
    }
}
