// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.cpu.kernels.scalar.ScalarDoubleKernels;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The vector form of the float64 kernels beside the JDK and the definition. */
@Tag("vectors")
class DoubleKernelsTest {
    private final DoubleKernels[] kernels = {KernelChoice.KERNELS.doubles(), new ScalarDoubleKernels()};

    @Test
    void expIsTheJdksToTwoUnitsInTheLastPlace() {
        double[] x = new double[3001];
        for (int i = 0; i < x.length; i++) {
            x[i] = i < 1500 ? -746 + i : (i - 2250) * 0x1.1p-9;
        }
        double[] special = {
            Double.NEGATIVE_INFINITY,
            Double.POSITIVE_INFINITY,
            Double.NaN,
            0,
            -0.0,
            709.78,
            709.79,
            -745.13,
            -745.14,
            1e-300
        };
        System.arraycopy(special, 0, x, 0, special.length);
        for (DoubleKernels k : kernels) {
            double[] y = x.clone();
            k.exp(y, y.length);
            for (int i = 0; i < x.length; i++) {
                double expected = Math.exp(x[i]);
                boolean same = Double.compare(expected, y[i]) == 0;
                assertThat(same || Math.abs(y[i] - expected) <= 2 * Math.ulp(expected))
                        .as("exp(%s) is %s, expected %s", x[i], y[i], expected)
                        .isTrue();
            }
        }
    }

    @Test
    void productsOfAwkwardSizesByRowsAndByColumns() {
        Random random = new Random(3);
        for (int rows : new int[] {1, 3, 4, 5, 13}) {
            for (int inner : new int[] {0, 1, 7, 8, 17}) {
                for (int columns : new int[] {1, 2, 3, 5, 8, 13, 31, 33}) {
                    for (boolean transposed : new boolean[] {false, true}) {
                        checkProduct(random, rows, inner, columns, transposed);
                    }
                }
            }
        }
    }

    private void checkProduct(Random random, int rows, int inner, int columns, boolean transposed) {
        double[] a = random.doubles((long) rows * inner).toArray();
        double[] b = random.doubles((long) inner * columns).toArray();
        int first = 3;
        double[] c = random.doubles(first + (long) rows * columns + 5).toArray();
        double[] expected = c.clone();
        int aRow = transposed ? 1 : inner;
        int aStep = transposed ? rows : 1;
        for (int r = 0; r < rows; r++) {
            for (int x = 0; x < columns; x++) {
                for (int k = 0; k < inner; k++) {
                    expected[first + r * columns + x] += a[r * aRow + k * aStep] * b[k * columns + x];
                }
            }
        }
        for (DoubleKernels k : kernels) {
            double[] y = c.clone();
            k.multiplyAdd(a, aRow, aStep, b, columns, y, first, columns, rows, inner, columns);
            for (int i = 0; i < y.length; i++) {
                // Positive terms: each of the sums has a relative error of a unit of rounding for each of its terms.
                assertThat(Math.abs(y[i] - expected[i])).isLessThanOrEqualTo((inner + 1) * 0x1p-52 * expected[i]);
            }
        }
    }
}
