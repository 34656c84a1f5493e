// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.Arrays;
import java.util.Random;

/** First values of a parameter, made on the host in float64. */
@FunctionalInterface
public interface Initializer {

    /** Row-major values of a parameter of the given shape. */
    double[] values(int[] shape, Random random);

    /** All 0. */
    static Initializer zeros() {
        return constant(0);
    }

    /** All 1. */
    static Initializer ones() {
        return constant(1);
    }

    /** All the same. */
    static Initializer constant(double value) {
        return (shape, random) -> {
            double[] values = new double[Math.toIntExact(Shapes.length(shape))];
            Arrays.fill(values, value);
            return values;
        };
    }

    /** Normal with mean 0. */
    static Initializer normal(double std) {
        return (shape, random) -> {
            double[] values = new double[Math.toIntExact(Shapes.length(shape))];
            for (int i = 0; i < values.length; i++) {
                values[i] = std * random.nextGaussian();
            }
            return values;
        };
    }

    /** Uniform in {@code [-bound, bound)}. */
    static Initializer uniform(double bound) {
        return (shape, random) -> {
            double[] values = new double[Math.toIntExact(Shapes.length(shape))];
            for (int i = 0; i < values.length; i++) {
                values[i] = bound * (2 * random.nextDouble() - 1);
            }
            return values;
        };
    }

    /**
     * {@code gain} times a random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al. 2013,
     * arXiv:1312.6120). A shape of more than two axes is one matrix whose columns are its last axis.
     */
    static Initializer orthogonal(double gain) {
        return (shape, random) -> OrthogonalMatrix.random(shape, gain, random);
    }
}
