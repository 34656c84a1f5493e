// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import static org.fovea.backend.cpu.kernels.vector.VectorMath.SPECIES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.fovea.backend.math.BinaryOp;

/** Elementwise functions of two arguments: one loop each, since a vector may not pass through a call that is not inlined. */
final class VectorZip {
    private static final int LANES = SPECIES.length();
    private static final ThreadLocal<float[]> SPLATS = ThreadLocal.withInitial(() -> new float[2 * LANES]);

    private VectorZip() {}

    /** Zips whole vectors; returns how many elements were done, 0 for an operation that has no vector form. */
    static int zip(BinaryOp op, float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int n) {
        int end = SPECIES.loopBound(n);
        if (end == 0) {
            return 0;
        }
        // A broadcast operand is read over and over from one vector that holds copies of it.
        float[] u = a;
        int u0 = ao;
        float[] v = b;
        int v0 = bo;
        if (stepA == 0) {
            u = SPLATS.get();
            u0 = 0;
            Arrays.fill(u, 0, LANES, a[ao]);
        }
        if (stepB == 0) {
            v = SPLATS.get();
            v0 = LANES;
            Arrays.fill(v, LANES, 2 * LANES, b[bo]);
        }
        switch (op) {
            case ADD -> add(u, u0, stepA, v, v0, stepB, y, yo, end);
            case SUBTRACT -> subtract(u, u0, stepA, v, v0, stepB, y, yo, end);
            case MULTIPLY -> multiply(u, u0, stepA, v, v0, stepB, y, yo, end);
            case DIVIDE -> divide(u, u0, stepA, v, v0, stepB, y, yo, end);
            case MIN -> min(u, u0, stepA, v, v0, stepB, y, yo, end);
            case MAX -> max(u, u0, stepA, v, v0, stepB, y, yo, end);
            case TANH_GRADIENT -> tanhGradient(u, u0, stepA, v, v0, stepB, y, yo, end);
            case SIGMOID_GRADIENT -> sigmoidGradient(u, u0, stepA, v, v0, stepB, y, yo, end);
            case RELU_GRADIENT -> reluGradient(u, u0, stepA, v, v0, stepB, y, yo, end);
            case GELU_GRADIENT -> geluGradient(u, u0, stepA, v, v0, stepB, y, yo, end);
            default -> {
                return 0;
            }
        }
        return end;
    }

    private static void add(float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            u.add(v).intoArray(y, yo + i);
        }
    }

    private static void subtract(
            float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            u.sub(v).intoArray(y, yo + i);
        }
    }

    private static void multiply(
            float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            u.mul(v).intoArray(y, yo + i);
        }
    }

    private static void divide(float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            u.div(v).intoArray(y, yo + i);
        }
    }

    private static void min(float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            u.min(v).intoArray(y, yo + i);
        }
    }

    private static void max(float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            u.max(v).intoArray(y, yo + i);
        }
    }

    private static void tanhGradient(
            float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            one.sub(u.mul(u)).mul(v).intoArray(y, yo + i);
        }
    }

    private static void sigmoidGradient(
            float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            u.mul(one.sub(u)).mul(v).intoArray(y, yo + i);
        }
    }

    private static void reluGradient(
            float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        FloatVector zero = FloatVector.zero(SPECIES);
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            zero.blend(v, u.compare(VectorOperators.GT, 0f)).intoArray(y, yo + i);
        }
    }

    private static void geluGradient(
            float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int end) {
        for (int i = 0; i < end; i += LANES) {
            FloatVector u = FloatVector.fromArray(SPECIES, a, ao + i * stepA);
            FloatVector v = FloatVector.fromArray(SPECIES, b, bo + i * stepB);
            VectorMath.geluDerivative(u).mul(v).intoArray(y, yo + i);
        }
    }
}
