// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import static org.fovea.backend.cpu.kernels.vector.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.fovea.backend.math.UnaryOp;

/**
 * Elementwise functions of one argument: one loop each, since a vector may not pass through a call that is not inlined. HotSpot
 * does that up to a depth of 15 calls and 8,000 bytes, which a loop by itself is far from, but not one that is inlined into its
 * callers: the launcher forbids that ({@code -XX:CompileCommand=dontinline}).
 */
final class VectorMap {
    private VectorMap() {}

    /** Maps whole vectors; returns how many elements were done, 0 for an operation that has no vector form. */
    static int map(UnaryOp op, float[] x, int xo, float[] y, int yo, int n) {
        int end = SPECIES.loopBound(n);
        switch (op) {
            case EXP -> exp(x, xo, y, yo, end);
            case LOG -> log(x, xo, y, yo, end);
            case TANH -> tanh(x, xo, y, yo, end);
            case SIGMOID -> sigmoid(x, xo, y, yo, end);
            case GELU -> gelu(x, xo, y, yo, end);
            case NEGATE -> negate(x, xo, y, yo, end);
            case SQUARE -> square(x, xo, y, yo, end);
            case SQRT -> sqrt(x, xo, y, yo, end);
            case RELU -> relu(x, xo, y, yo, end);
            default -> {
                return 0;
            }
        }
        return end;
    }

    private static void exp(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            VectorMath.exp(v).intoArray(y, yo + i);
        }
    }

    private static void log(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            VectorMath.logAtEdges(v, VectorMath.logOfPositive(v)).intoArray(y, yo + i);
        }
    }

    private static void tanh(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            VectorMath.tanh(v).intoArray(y, yo + i);
        }
    }

    private static void sigmoid(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            VectorMath.sigmoid(v).intoArray(y, yo + i);
        }
    }

    private static void gelu(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            VectorMath.gelu(v).intoArray(y, yo + i);
        }
    }

    private static void negate(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            v.neg().intoArray(y, yo + i);
        }
    }

    private static void square(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            v.mul(v).intoArray(y, yo + i);
        }
    }

    private static void sqrt(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            v.sqrt().intoArray(y, yo + i);
        }
    }

    private static void relu(float[] x, int xo, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += SPECIES.length()) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            v.max(0f).intoArray(y, yo + i);
        }
    }
}
