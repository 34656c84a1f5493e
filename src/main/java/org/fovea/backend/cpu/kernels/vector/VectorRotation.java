// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** The rotations of {@link org.fovea.backend.cpu.kernels.Kernels#rotate}. */
final class VectorRotation {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Float> OF_8 = FloatVector.SPECIES_256;

    private VectorRotation() {}

    /** Half a head is some whole vectors. */
    static void rotate(int heads, int half, float[] angles, float[] x, int xo, float[] y, int yo) {
        for (int h = 0; h < heads; h++) {
            int first = 2 * h * half;
            for (int i = 0; i < half; i += SPECIES.length()) {
                FloatVector cos = FloatVector.fromArray(SPECIES, angles, i);
                FloatVector sin = FloatVector.fromArray(SPECIES, angles, half + i);
                FloatVector x1 = FloatVector.fromArray(SPECIES, x, xo + first + i);
                FloatVector x2 = FloatVector.fromArray(SPECIES, x, xo + first + half + i);
                x1.mul(cos).sub(x2.mul(sin)).intoArray(y, yo + first + i);
                x1.mul(sin).add(x2.mul(cos)).intoArray(y, yo + first + half + i);
            }
        }
    }

    /** Half a head is some whole vectors of 8. */
    static void rotateBy8(int heads, int half, float[] angles, float[] x, int xo, float[] y, int yo) {
        for (int h = 0; h < heads; h++) {
            int first = 2 * h * half;
            for (int i = 0; i < half; i += OF_8.length()) {
                FloatVector cos = FloatVector.fromArray(OF_8, angles, i);
                FloatVector sin = FloatVector.fromArray(OF_8, angles, half + i);
                FloatVector x1 = FloatVector.fromArray(OF_8, x, xo + first + i);
                FloatVector x2 = FloatVector.fromArray(OF_8, x, xo + first + half + i);
                x1.mul(cos).sub(x2.mul(sin)).intoArray(y, yo + first + i);
                x1.mul(sin).add(x2.mul(cos)).intoArray(y, yo + first + half + i);
            }
        }
    }
}
