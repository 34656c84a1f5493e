// SPDX-License-Identifier: Apache-2.0
package org.fovea.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConjugateGradientTest {

    /** {@code B B^T + I}, symmetric and positive, row by row. */
    private static double[] positive(int n, Random random) {
        double[] b = random.doubles((long) n * n, -1, 1).toArray();
        double[] a = new double[n * n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                a[i * n + j] = i == j ? 1 : 0;
                for (int k = 0; k < n; k++) {
                    a[i * n + j] += b[i * n + k] * b[j * n + k];
                }
            }
        }
        return a;
    }

    private static double[] multiply(double[] a, double[] x) {
        int n = x.length;
        double[] y = new double[n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                y[i] += a[i * n + j] * x[j];
            }
        }
        return y;
    }

    private record Solution(double[] x, double curvature) {}

    private static Solution solve(double[] a, double[] b, int iterations) {
        int n = b.length;
        try (Backend backend = new ReferenceBackend();
                ConjugateGradient solver = new ConjugateGradient(backend, n, iterations)) {
            DeviceArray matrix = backend.memory().allocate(backend.memory().floatType(), (long) n * n);
            DeviceArray right = backend.memory().allocate(backend.memory().floatType(), n);
            DeviceArray x = backend.memory().allocate(backend.memory().floatType(), n);
            DeviceArray curvature = backend.memory().allocate(backend.memory().floatType(), 1);
            backend.memory().upload(a, 0, matrix);
            backend.memory().upload(b, 0, right);
            solver.solve(
                    (direction, product) ->
                            backend.math().gemm(Gemm.dense(false, false, n, 1, n), matrix, direction, product),
                    right,
                    x);
            solver.curvature(right, x, curvature);
            double[] solution = new double[n];
            double[] along = new double[1];
            backend.memory().download(x, solution, 0);
            backend.memory().download(curvature, along, 0);
            return new Solution(solution, along[0]);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 13, 17})
    void solvesInAsManyIterationsAsThereAreUnknowns(int n) {
        Random random = new Random(n);
        double[] a = positive(n, random);
        double[] x = random.doubles(n, -1, 1).toArray();
        double[] b = multiply(a, x);
        // The residual left is 1e-12 of b by its square, and a's smallest eigenvalue is at least 1.
        double norm = Math.sqrt(Arrays.stream(b).map(v -> v * v).sum());

        Solution solution = solve(a, b, n);
        Solution longer = solve(a, b, 3 * n);

        assertThat(solution.x).containsExactly(x, within(1e-6 * norm));
        assertThat(longer.x).containsExactly(x, within(1e-6 * norm));
        double curvature = 0;
        double[] ax = multiply(a, x);
        for (int i = 0; i < n; i++) {
            curvature += x[i] * ax[i];
        }
        assertThat(longer.curvature).isCloseTo(curvature, within(1e-5 * norm * norm));
    }

    @Test
    void theFirstIterationGoesDownTheGradient() {
        double[] a = positive(5, new Random(1));
        double[] b = {1, -2, 3, 0, 0.5};
        double[] ab = multiply(a, b);
        double bb = 0;
        double bAb = 0;
        for (int i = 0; i < 5; i++) {
            bb += b[i] * b[i];
            bAb += b[i] * ab[i];
        }
        Solution one = solve(a, b, 1);
        for (int i = 0; i < 5; i++) {
            assertThat(one.x[i]).isCloseTo(bb / bAb * b[i], within(1e-12));
        }
        assertThat(one.curvature).isCloseTo(bb * bb / bAb, within(1e-12 * bb * bb));
    }

    @Test
    void nothingComesOfNothing() {
        assertThat(solve(positive(3, new Random(1)), new double[3], 4).x).containsOnly(0);
    }

    @Test
    void aMatrixThatIsNotPositiveGivesNoDirection() {
        assertThat(solve(new double[] {-1, 0, 0, -1}, new double[] {1, 2}, 3).x).containsOnly(0);
    }

    @Test
    void whatIsNotFiniteShows() {
        double[] a = positive(2, new Random(1));
        assertThat(solve(a, new double[] {1, Double.NaN}, 3).curvature).isNaN();
        assertThat(solve(a, new double[] {1, Double.POSITIVE_INFINITY}, 3).curvature)
                .isNaN();
        assertThat(solve(new double[] {1, 0, 0, Double.NaN}, new double[] {1, 1}, 3).curvature)
                .isNaN();
    }
}
