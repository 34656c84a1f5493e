// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.backend.memory.ShapeException;

/** Tables of sines and cosines of geometrically spaced wavelengths. */
final class SinusoidalTables {
    private static final double BASE = 10_000;

    private SinusoidalTables() {}

    /** Row-major [positions, width]. */
    static double[] line(int positions, int width) {
        requireMultiple(width, 2);
        double[] table = new double[positions * width];
        for (int position = 0; position < positions; position++) {
            encode(position, table, position * width, width);
        }
        return table;
    }

    /** Row-major [rows columns, width]. */
    static double[] grid(int rows, int columns, int width) {
        requireMultiple(width, 4);
        double[] table = new double[rows * columns * width];
        int half = width / 2;
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                int start = (row * columns + column) * width;
                encode(row, table, start, half);
                encode(column, table, start + half, half);
            }
        }
        return table;
    }

    private static void encode(int position, double[] table, int start, int width) {
        for (int i = 0; i < width; i += 2) {
            double angle = position * Math.pow(BASE, -(double) i / width);
            table[start + i] = Math.sin(angle);
            table[start + i + 1] = Math.cos(angle);
        }
    }

    private static void requireMultiple(int width, int divisor) {
        if (width < divisor || width % divisor != 0) {
            throw new ShapeException("sinusoidal encoding", "width " + width + " is not a multiple of " + divisor);
        }
    }
}
