// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The register tiles of {@link VectorGemm}: rows by vectors of C, from rows of A that are {@code rowStep} apart and rows of
 * B that are {@code ldb} apart. Sums start from s, whose rows are {@code lds} apart, and go to c.
 */
final class VectorTile {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();

    private VectorTile() {}

    static void tile6x2(
            int k,
            float[] a,
            int a0,
            int rowStep,
            int stepK,
            float[] b,
            int b0,
            int ldb,
            float[] s,
            int s0,
            int lds,
            float[] c,
            int c0,
            int ldc) {
        FloatVector c00 = FloatVector.fromArray(SPECIES, s, s0);
        FloatVector c01 = FloatVector.fromArray(SPECIES, s, s0 + LANES);
        FloatVector c10 = FloatVector.fromArray(SPECIES, s, s0 + lds);
        FloatVector c11 = FloatVector.fromArray(SPECIES, s, s0 + lds + LANES);
        FloatVector c20 = FloatVector.fromArray(SPECIES, s, s0 + 2 * lds);
        FloatVector c21 = FloatVector.fromArray(SPECIES, s, s0 + 2 * lds + LANES);
        FloatVector c30 = FloatVector.fromArray(SPECIES, s, s0 + 3 * lds);
        FloatVector c31 = FloatVector.fromArray(SPECIES, s, s0 + 3 * lds + LANES);
        FloatVector c40 = FloatVector.fromArray(SPECIES, s, s0 + 4 * lds);
        FloatVector c41 = FloatVector.fromArray(SPECIES, s, s0 + 4 * lds + LANES);
        FloatVector c50 = FloatVector.fromArray(SPECIES, s, s0 + 5 * lds);
        FloatVector c51 = FloatVector.fromArray(SPECIES, s, s0 + 5 * lds + LANES);
        int a1 = a0 + rowStep;
        int a2 = a1 + rowStep;
        int a3 = a2 + rowStep;
        int a4 = a3 + rowStep;
        int a5 = a4 + rowStep;
        int ap = 0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            FloatVector bl = FloatVector.fromArray(SPECIES, b, bp);
            FloatVector br = FloatVector.fromArray(SPECIES, b, bp + LANES);
            FloatVector x0 = FloatVector.broadcast(SPECIES, a[a0 + ap]);
            c00 = x0.fma(bl, c00);
            c01 = x0.fma(br, c01);
            FloatVector x1 = FloatVector.broadcast(SPECIES, a[a1 + ap]);
            c10 = x1.fma(bl, c10);
            c11 = x1.fma(br, c11);
            FloatVector x2 = FloatVector.broadcast(SPECIES, a[a2 + ap]);
            c20 = x2.fma(bl, c20);
            c21 = x2.fma(br, c21);
            FloatVector x3 = FloatVector.broadcast(SPECIES, a[a3 + ap]);
            c30 = x3.fma(bl, c30);
            c31 = x3.fma(br, c31);
            FloatVector x4 = FloatVector.broadcast(SPECIES, a[a4 + ap]);
            c40 = x4.fma(bl, c40);
            c41 = x4.fma(br, c41);
            FloatVector x5 = FloatVector.broadcast(SPECIES, a[a5 + ap]);
            c50 = x5.fma(bl, c50);
            c51 = x5.fma(br, c51);
            ap += stepK;
            bp += ldb;
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c10.intoArray(c, c0 + ldc);
        c11.intoArray(c, c0 + ldc + LANES);
        c20.intoArray(c, c0 + 2 * ldc);
        c21.intoArray(c, c0 + 2 * ldc + LANES);
        c30.intoArray(c, c0 + 3 * ldc);
        c31.intoArray(c, c0 + 3 * ldc + LANES);
        c40.intoArray(c, c0 + 4 * ldc);
        c41.intoArray(c, c0 + 4 * ldc + LANES);
        c50.intoArray(c, c0 + 5 * ldc);
        c51.intoArray(c, c0 + 5 * ldc + LANES);
    }

    static void tile6x1(
            int k,
            float[] a,
            int a0,
            int rowStep,
            int stepK,
            float[] b,
            int b0,
            int ldb,
            float[] s,
            int s0,
            int lds,
            float[] c,
            int c0,
            int ldc) {
        FloatVector c00 = FloatVector.fromArray(SPECIES, s, s0);
        FloatVector c10 = FloatVector.fromArray(SPECIES, s, s0 + lds);
        FloatVector c20 = FloatVector.fromArray(SPECIES, s, s0 + 2 * lds);
        FloatVector c30 = FloatVector.fromArray(SPECIES, s, s0 + 3 * lds);
        FloatVector c40 = FloatVector.fromArray(SPECIES, s, s0 + 4 * lds);
        FloatVector c50 = FloatVector.fromArray(SPECIES, s, s0 + 5 * lds);
        int a1 = a0 + rowStep;
        int a2 = a1 + rowStep;
        int a3 = a2 + rowStep;
        int a4 = a3 + rowStep;
        int a5 = a4 + rowStep;
        int ap = 0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            FloatVector row = FloatVector.fromArray(SPECIES, b, bp);
            c00 = FloatVector.broadcast(SPECIES, a[a0 + ap]).fma(row, c00);
            c10 = FloatVector.broadcast(SPECIES, a[a1 + ap]).fma(row, c10);
            c20 = FloatVector.broadcast(SPECIES, a[a2 + ap]).fma(row, c20);
            c30 = FloatVector.broadcast(SPECIES, a[a3 + ap]).fma(row, c30);
            c40 = FloatVector.broadcast(SPECIES, a[a4 + ap]).fma(row, c40);
            c50 = FloatVector.broadcast(SPECIES, a[a5 + ap]).fma(row, c50);
            ap += stepK;
            bp += ldb;
        }
        c00.intoArray(c, c0);
        c10.intoArray(c, c0 + ldc);
        c20.intoArray(c, c0 + 2 * ldc);
        c30.intoArray(c, c0 + 3 * ldc);
        c40.intoArray(c, c0 + 4 * ldc);
        c50.intoArray(c, c0 + 5 * ldc);
    }

    static void tile1x2(
            int k, float[] a, int a0, int stepK, float[] b, int b0, int ldb, float[] s, int s0, float[] c, int c0) {
        FloatVector left = FloatVector.fromArray(SPECIES, s, s0);
        FloatVector right = FloatVector.fromArray(SPECIES, s, s0 + LANES);
        int ap = a0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            FloatVector x = FloatVector.broadcast(SPECIES, a[ap]);
            left = x.fma(FloatVector.fromArray(SPECIES, b, bp), left);
            right = x.fma(FloatVector.fromArray(SPECIES, b, bp + LANES), right);
            ap += stepK;
            bp += ldb;
        }
        left.intoArray(c, c0);
        right.intoArray(c, c0 + LANES);
    }

    static void tile1x1(
            int k, float[] a, int a0, int stepK, float[] b, int b0, int ldb, float[] s, int s0, float[] c, int c0) {
        FloatVector sum = FloatVector.fromArray(SPECIES, s, s0);
        int ap = a0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            sum = FloatVector.broadcast(SPECIES, a[ap]).fma(FloatVector.fromArray(SPECIES, b, bp), sum);
            ap += stepK;
            bp += ldb;
        }
        sum.intoArray(c, c0);
    }
}
