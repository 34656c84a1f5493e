// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.fovea.backend.cpu.kernels.AttentionKernels;

/**
 * The matrix product of {@link AttentionKernels#multiply}: register tiles of eight rows by two vectors, and smaller ones at
 * the edges. Sums start from 0, and {@code start} is added to them in the end, which is c itself or zeros read as c would be:
 * short sums of short sums lose less to rounding than a long one.
 */
final class TileProduct {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();
    private static final int ROWS = AttentionKernels.ROWS;
    private static final float[] ZEROS = new float[2 * LANES];

    private TileProduct() {}

    static void multiply(
            boolean accumulate,
            float[] a,
            int aOffset,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int bOffset,
            int bStride,
            float[] c,
            int cOffset,
            int cStride,
            int rows,
            int inner,
            int columns) {
        float[] start = accumulate ? c : ZEROS;
        int startStride = accumulate ? cStride : 0;
        int step = accumulate ? 1 : 0;
        int height = ROWS;
        for (int i = 0; i < rows; i += height) {
            height = rows - i >= ROWS ? ROWS : Math.min(ROWS / 2, rows - i);
            int ai = aOffset + i * aRowStride;
            int ci = cOffset + i * cStride;
            int si = accumulate ? ci : 0;
            int j = 0;
            for (; j <= columns - 2 * LANES; j += 2 * LANES) {
                if (height == ROWS) {
                    tile8x2(
                            start,
                            si + j * step,
                            startStride,
                            a,
                            ai,
                            aRowStride,
                            aInnerStride,
                            b,
                            bOffset + j,
                            bStride,
                            c,
                            ci + j,
                            cStride,
                            inner);
                } else {
                    tile4x2(
                            start,
                            si + j * step,
                            startStride,
                            a,
                            ai,
                            aRowStride,
                            aInnerStride,
                            b,
                            bOffset + j,
                            bStride,
                            c,
                            ci + j,
                            cStride,
                            height,
                            inner);
                }
            }
            if (j < columns) {
                if (height == ROWS) {
                    tile8x1(
                            start,
                            si + j * step,
                            startStride,
                            a,
                            ai,
                            aRowStride,
                            aInnerStride,
                            b,
                            bOffset + j,
                            bStride,
                            c,
                            ci + j,
                            cStride,
                            inner);
                } else {
                    tile4x1(
                            start,
                            si + j * step,
                            startStride,
                            a,
                            ai,
                            aRowStride,
                            aInnerStride,
                            b,
                            bOffset + j,
                            bStride,
                            c,
                            ci + j,
                            cStride,
                            height,
                            inner);
                }
            }
        }
    }

    // The rows of a are reached from two indices and three shared strides: eight indices would not fit in registers
    // with
    // everything else, and the compiler's moves to fetch them cost a quarter of the speed.
    private static void tile8x2(
            float[] start,
            int s0,
            int startStride,
            float[] a,
            int a0,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int b0,
            int bStride,
            float[] c,
            int c0,
            int cStride,
            int inner) {
        FloatVector c00 = FloatVector.zero(SPECIES);
        FloatVector c01 = FloatVector.zero(SPECIES);
        FloatVector c10 = FloatVector.zero(SPECIES);
        FloatVector c11 = FloatVector.zero(SPECIES);
        FloatVector c20 = FloatVector.zero(SPECIES);
        FloatVector c21 = FloatVector.zero(SPECIES);
        FloatVector c30 = FloatVector.zero(SPECIES);
        FloatVector c31 = FloatVector.zero(SPECIES);
        FloatVector c40 = FloatVector.zero(SPECIES);
        FloatVector c41 = FloatVector.zero(SPECIES);
        FloatVector c50 = FloatVector.zero(SPECIES);
        FloatVector c51 = FloatVector.zero(SPECIES);
        FloatVector c60 = FloatVector.zero(SPECIES);
        FloatVector c61 = FloatVector.zero(SPECIES);
        FloatVector c70 = FloatVector.zero(SPECIES);
        FloatVector c71 = FloatVector.zero(SPECIES);
        int row1 = aRowStride;
        int row2 = 2 * aRowStride;
        int row3 = 3 * aRowStride;
        int upper = a0;
        int lower = a0 + 4 * aRowStride;
        for (int k = 0; k < inner; k++) {
            int bk = b0 + k * bStride;
            FloatVector v0 = FloatVector.fromArray(SPECIES, b, bk);
            FloatVector v1 = FloatVector.fromArray(SPECIES, b, bk + LANES);
            FloatVector x = FloatVector.broadcast(SPECIES, a[upper]);
            c00 = x.fma(v0, c00);
            c01 = x.fma(v1, c01);
            x = FloatVector.broadcast(SPECIES, a[upper + row1]);
            c10 = x.fma(v0, c10);
            c11 = x.fma(v1, c11);
            x = FloatVector.broadcast(SPECIES, a[upper + row2]);
            c20 = x.fma(v0, c20);
            c21 = x.fma(v1, c21);
            x = FloatVector.broadcast(SPECIES, a[upper + row3]);
            c30 = x.fma(v0, c30);
            c31 = x.fma(v1, c31);
            x = FloatVector.broadcast(SPECIES, a[lower]);
            c40 = x.fma(v0, c40);
            c41 = x.fma(v1, c41);
            x = FloatVector.broadcast(SPECIES, a[lower + row1]);
            c50 = x.fma(v0, c50);
            c51 = x.fma(v1, c51);
            x = FloatVector.broadcast(SPECIES, a[lower + row2]);
            c60 = x.fma(v0, c60);
            c61 = x.fma(v1, c61);
            x = FloatVector.broadcast(SPECIES, a[lower + row3]);
            c70 = x.fma(v0, c70);
            c71 = x.fma(v1, c71);
            upper += aInnerStride;
            lower += aInnerStride;
        }
        c00.add(FloatVector.fromArray(SPECIES, start, s0)).intoArray(c, c0);
        c01.add(FloatVector.fromArray(SPECIES, start, s0 + LANES)).intoArray(c, c0 + LANES);
        c10.add(FloatVector.fromArray(SPECIES, start, s0 + startStride)).intoArray(c, c0 + cStride);
        c11.add(FloatVector.fromArray(SPECIES, start, s0 + startStride + LANES)).intoArray(c, c0 + cStride + LANES);
        c20.add(FloatVector.fromArray(SPECIES, start, s0 + 2 * startStride)).intoArray(c, c0 + 2 * cStride);
        c21.add(FloatVector.fromArray(SPECIES, start, s0 + 2 * startStride + LANES))
                .intoArray(c, c0 + 2 * cStride + LANES);
        c30.add(FloatVector.fromArray(SPECIES, start, s0 + 3 * startStride)).intoArray(c, c0 + 3 * cStride);
        c31.add(FloatVector.fromArray(SPECIES, start, s0 + 3 * startStride + LANES))
                .intoArray(c, c0 + 3 * cStride + LANES);
        c40.add(FloatVector.fromArray(SPECIES, start, s0 + 4 * startStride)).intoArray(c, c0 + 4 * cStride);
        c41.add(FloatVector.fromArray(SPECIES, start, s0 + 4 * startStride + LANES))
                .intoArray(c, c0 + 4 * cStride + LANES);
        c50.add(FloatVector.fromArray(SPECIES, start, s0 + 5 * startStride)).intoArray(c, c0 + 5 * cStride);
        c51.add(FloatVector.fromArray(SPECIES, start, s0 + 5 * startStride + LANES))
                .intoArray(c, c0 + 5 * cStride + LANES);
        c60.add(FloatVector.fromArray(SPECIES, start, s0 + 6 * startStride)).intoArray(c, c0 + 6 * cStride);
        c61.add(FloatVector.fromArray(SPECIES, start, s0 + 6 * startStride + LANES))
                .intoArray(c, c0 + 6 * cStride + LANES);
        c70.add(FloatVector.fromArray(SPECIES, start, s0 + 7 * startStride)).intoArray(c, c0 + 7 * cStride);
        c71.add(FloatVector.fromArray(SPECIES, start, s0 + 7 * startStride + LANES))
                .intoArray(c, c0 + 7 * cStride + LANES);
    }

    private static void tile8x1(
            float[] start,
            int s0,
            int startStride,
            float[] a,
            int a0,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int b0,
            int bStride,
            float[] c,
            int c0,
            int cStride,
            int inner) {
        FloatVector c00 = FloatVector.zero(SPECIES);
        FloatVector c10 = FloatVector.zero(SPECIES);
        FloatVector c20 = FloatVector.zero(SPECIES);
        FloatVector c30 = FloatVector.zero(SPECIES);
        FloatVector c40 = FloatVector.zero(SPECIES);
        FloatVector c50 = FloatVector.zero(SPECIES);
        FloatVector c60 = FloatVector.zero(SPECIES);
        FloatVector c70 = FloatVector.zero(SPECIES);
        int row1 = aRowStride;
        int row2 = 2 * aRowStride;
        int row3 = 3 * aRowStride;
        int upper = a0;
        int lower = a0 + 4 * aRowStride;
        for (int k = 0; k < inner; k++) {
            int bk = b0 + k * bStride;
            FloatVector v0 = FloatVector.fromArray(SPECIES, b, bk);
            FloatVector x = FloatVector.broadcast(SPECIES, a[upper]);
            c00 = x.fma(v0, c00);
            x = FloatVector.broadcast(SPECIES, a[upper + row1]);
            c10 = x.fma(v0, c10);
            x = FloatVector.broadcast(SPECIES, a[upper + row2]);
            c20 = x.fma(v0, c20);
            x = FloatVector.broadcast(SPECIES, a[upper + row3]);
            c30 = x.fma(v0, c30);
            x = FloatVector.broadcast(SPECIES, a[lower]);
            c40 = x.fma(v0, c40);
            x = FloatVector.broadcast(SPECIES, a[lower + row1]);
            c50 = x.fma(v0, c50);
            x = FloatVector.broadcast(SPECIES, a[lower + row2]);
            c60 = x.fma(v0, c60);
            x = FloatVector.broadcast(SPECIES, a[lower + row3]);
            c70 = x.fma(v0, c70);
            upper += aInnerStride;
            lower += aInnerStride;
        }
        c00.add(FloatVector.fromArray(SPECIES, start, s0)).intoArray(c, c0);
        c10.add(FloatVector.fromArray(SPECIES, start, s0 + startStride)).intoArray(c, c0 + cStride);
        c20.add(FloatVector.fromArray(SPECIES, start, s0 + 2 * startStride)).intoArray(c, c0 + 2 * cStride);
        c30.add(FloatVector.fromArray(SPECIES, start, s0 + 3 * startStride)).intoArray(c, c0 + 3 * cStride);
        c40.add(FloatVector.fromArray(SPECIES, start, s0 + 4 * startStride)).intoArray(c, c0 + 4 * cStride);
        c50.add(FloatVector.fromArray(SPECIES, start, s0 + 5 * startStride)).intoArray(c, c0 + 5 * cStride);
        c60.add(FloatVector.fromArray(SPECIES, start, s0 + 6 * startStride)).intoArray(c, c0 + 6 * cStride);
        c70.add(FloatVector.fromArray(SPECIES, start, s0 + 7 * startStride)).intoArray(c, c0 + 7 * cStride);
    }

    /** Up to four rows: those from {@code height} on repeat the last one, and so load, compute and store the same. */
    private static void tile4x2(
            float[] start,
            int s0,
            int startStride,
            float[] a,
            int a0,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int b0,
            int bStride,
            float[] c,
            int c0,
            int cStride,
            int height,
            int inner) {
        int last = height - 1;
        int r1 = Math.min(1, last);
        int r2 = Math.min(2, last);
        FloatVector c00 = FloatVector.zero(SPECIES);
        FloatVector c01 = FloatVector.zero(SPECIES);
        FloatVector c10 = FloatVector.zero(SPECIES);
        FloatVector c11 = FloatVector.zero(SPECIES);
        FloatVector c20 = FloatVector.zero(SPECIES);
        FloatVector c21 = FloatVector.zero(SPECIES);
        FloatVector c30 = FloatVector.zero(SPECIES);
        FloatVector c31 = FloatVector.zero(SPECIES);
        int a1 = a0 + r1 * aRowStride;
        int a2 = a0 + r2 * aRowStride;
        int a3 = a0 + last * aRowStride;
        for (int k = 0, ak = 0, bk = b0; k < inner; k++, ak += aInnerStride, bk += bStride) {
            FloatVector v0 = FloatVector.fromArray(SPECIES, b, bk);
            FloatVector v1 = FloatVector.fromArray(SPECIES, b, bk + LANES);
            FloatVector x = FloatVector.broadcast(SPECIES, a[a0 + ak]);
            c00 = x.fma(v0, c00);
            c01 = x.fma(v1, c01);
            x = FloatVector.broadcast(SPECIES, a[a1 + ak]);
            c10 = x.fma(v0, c10);
            c11 = x.fma(v1, c11);
            x = FloatVector.broadcast(SPECIES, a[a2 + ak]);
            c20 = x.fma(v0, c20);
            c21 = x.fma(v1, c21);
            x = FloatVector.broadcast(SPECIES, a[a3 + ak]);
            c30 = x.fma(v0, c30);
            c31 = x.fma(v1, c31);
        }
        // All are read before any is written: rows may be the same.
        c00 = c00.add(FloatVector.fromArray(SPECIES, start, s0));
        c01 = c01.add(FloatVector.fromArray(SPECIES, start, s0 + LANES));
        c10 = c10.add(FloatVector.fromArray(SPECIES, start, s0 + r1 * startStride));
        c11 = c11.add(FloatVector.fromArray(SPECIES, start, s0 + r1 * startStride + LANES));
        c20 = c20.add(FloatVector.fromArray(SPECIES, start, s0 + r2 * startStride));
        c21 = c21.add(FloatVector.fromArray(SPECIES, start, s0 + r2 * startStride + LANES));
        c30 = c30.add(FloatVector.fromArray(SPECIES, start, s0 + last * startStride));
        c31 = c31.add(FloatVector.fromArray(SPECIES, start, s0 + last * startStride + LANES));
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c10.intoArray(c, c0 + r1 * cStride);
        c11.intoArray(c, c0 + r1 * cStride + LANES);
        c20.intoArray(c, c0 + r2 * cStride);
        c21.intoArray(c, c0 + r2 * cStride + LANES);
        c30.intoArray(c, c0 + last * cStride);
        c31.intoArray(c, c0 + last * cStride + LANES);
    }

    private static void tile4x1(
            float[] start,
            int s0,
            int startStride,
            float[] a,
            int a0,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int b0,
            int bStride,
            float[] c,
            int c0,
            int cStride,
            int height,
            int inner) {
        int last = height - 1;
        int r1 = Math.min(1, last);
        int r2 = Math.min(2, last);
        FloatVector c00 = FloatVector.zero(SPECIES);
        FloatVector c10 = FloatVector.zero(SPECIES);
        FloatVector c20 = FloatVector.zero(SPECIES);
        FloatVector c30 = FloatVector.zero(SPECIES);
        int a1 = a0 + r1 * aRowStride;
        int a2 = a0 + r2 * aRowStride;
        int a3 = a0 + last * aRowStride;
        for (int k = 0, ak = 0, bk = b0; k < inner; k++, ak += aInnerStride, bk += bStride) {
            FloatVector v0 = FloatVector.fromArray(SPECIES, b, bk);
            FloatVector x = FloatVector.broadcast(SPECIES, a[a0 + ak]);
            c00 = x.fma(v0, c00);
            x = FloatVector.broadcast(SPECIES, a[a1 + ak]);
            c10 = x.fma(v0, c10);
            x = FloatVector.broadcast(SPECIES, a[a2 + ak]);
            c20 = x.fma(v0, c20);
            x = FloatVector.broadcast(SPECIES, a[a3 + ak]);
            c30 = x.fma(v0, c30);
        }
        // All are read before any is written: rows may be the same.
        c00 = c00.add(FloatVector.fromArray(SPECIES, start, s0));
        c10 = c10.add(FloatVector.fromArray(SPECIES, start, s0 + r1 * startStride));
        c20 = c20.add(FloatVector.fromArray(SPECIES, start, s0 + r2 * startStride));
        c30 = c30.add(FloatVector.fromArray(SPECIES, start, s0 + last * startStride));
        c00.intoArray(c, c0);
        c10.intoArray(c, c0 + r1 * cStride);
        c20.intoArray(c, c0 + r2 * cStride);
        c30.intoArray(c, c0 + last * cStride);
    }
}
