// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import static org.fovea.backend.cpu.kernels.vector.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;
import org.fovea.backend.math.UnaryOp;

/**
 * Elementwise functions of one argument. All loops are in one method on purpose: it is longer than what HotSpot inlines (325
 * bytes), and so compiled by itself. Inlined into its callers, the functions' own calls would be beyond the depth to which HotSpot
 * inlines (15), their vectors would be allocated one by one, and the loops take ten times as long.
 */
final class VectorMap {
    private static final int LANES = SPECIES.length();

    private VectorMap() {}

    /** Maps whole vectors; returns how many elements were done, 0 for an operation that has no vector form. */
    static int map(UnaryOp op, float[] x, int xo, float[] y, int yo, int n) {
        int end = SPECIES.loopBound(n);
        switch (op) {
            case EXP -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    VectorMath.exp(v).intoArray(y, yo + i);
                }
            }
            case LOG -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    VectorMath.logAtEdges(v, VectorMath.logOfPositive(v)).intoArray(y, yo + i);
                }
            }
            case TANH -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    VectorMath.tanh(v).intoArray(y, yo + i);
                }
            }
            case SIGMOID -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    VectorMath.sigmoid(v).intoArray(y, yo + i);
                }
            }
            case GELU -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    VectorMath.gelu(v).intoArray(y, yo + i);
                }
            }
            case NEGATE -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    v.neg().intoArray(y, yo + i);
                }
            }
            case SQUARE -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    v.mul(v).intoArray(y, yo + i);
                }
            }
            case SQRT -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    v.sqrt().intoArray(y, yo + i);
                }
            }
            case RELU -> {
                for (int i = 0; i < end; i += LANES) {
                    FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
                    v.max(0f).intoArray(y, yo + i);
                }
            }
            default -> {
                return 0;
            }
        }
        return end;
    }
}
