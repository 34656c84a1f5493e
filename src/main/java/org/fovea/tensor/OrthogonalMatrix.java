// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.Random;

/** Random matrices with orthonormal rows or columns, uniformly distributed. */
final class OrthogonalMatrix {
    private OrthogonalMatrix() {}

    /** Row-major [rows, columns], columns being the last axis of {@code shape}. */
    static double[] random(int[] shape, double gain, Random random) {
        int columns = shape.length == 0 ? 1 : shape[shape.length - 1];
        int rows = Math.toIntExact(Shapes.length(shape) / columns);
        boolean tall = rows >= columns;
        double[][] vectors = new double[Math.min(rows, columns)][Math.max(rows, columns)];
        for (double[] vector : vectors) {
            for (int i = 0; i < vector.length; i++) {
                vector[i] = random.nextGaussian();
            }
        }
        orthonormalize(vectors);
        double[] values = new double[rows * columns];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                values[row * columns + column] = gain * (tall ? vectors[column][row] : vectors[row][column]);
            }
        }
        return values;
    }

    /**
     * Modified Gram-Schmidt, each vector projected twice for full precision. Lengths are divided by a positive norm,
     * which makes the diagonal of R positive: the sign convention that a uniform distribution needs.
     */
    private static void orthonormalize(double[][] vectors) {
        for (int k = 0; k < vectors.length; k++) {
            for (int pass = 0; pass < 2; pass++) {
                for (int j = 0; j < k; j++) {
                    subtractScaled(vectors[k], dot(vectors[k], vectors[j]), vectors[j]);
                }
            }
            double norm = Math.sqrt(dot(vectors[k], vectors[k]));
            for (int i = 0; i < vectors[k].length; i++) {
                vectors[k][i] /= norm;
            }
        }
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static void subtractScaled(double[] target, double scale, double[] x) {
        for (int i = 0; i < target.length; i++) {
            target[i] -= scale * x[i];
        }
    }
}
