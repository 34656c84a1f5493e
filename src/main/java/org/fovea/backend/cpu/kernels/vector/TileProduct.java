// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.fovea.backend.cpu.kernels.AttentionKernels;

/**
 * The matrix product of {@link AttentionKernels#multiply}: register tiles of eight rows by two vectors, and smaller ones at
 * the edges. Sums start from 0, and are added to c, if at all, in the end: short sums of short sums lose less to rounding than
 * a long one.
 *
 * <p>A tile of eight by two is some two thirds of what the compiler of JDK 17 takes into one method. Of what is beyond its
 * budget it makes calls, and an object of each vector that they are given: with the additions in the tile, attention ran at
 * three quarters of its speed.
 */
final class TileProduct {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();
    private static final int ROWS = AttentionKernels.ROWS;
    private static final int WIDTH = 2 * LANES;
    private static final ThreadLocal<float[]> SUMS = ThreadLocal.withInitial(() -> new float[ROWS * WIDTH]);

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
        float[] target = accumulate ? SUMS.get() : c;
        int targetStride = accumulate ? WIDTH : cStride;
        int height = ROWS;
        for (int i = 0; i < rows; i += height) {
            height = rows - i >= ROWS ? ROWS : Math.min(ROWS / 2, rows - i);
            int ai = aOffset + i * aRowStride;
            int width = WIDTH;
            for (int j = 0; j < columns; j += width) {
                width = columns - j >= WIDTH ? WIDTH : LANES;
                int bj = bOffset + j;
                int cj = cOffset + i * cStride + j;
                int t = accumulate ? 0 : cj;
                if (height == ROWS && width == WIDTH) {
                    tile8x2(a, ai, aRowStride, aInnerStride, b, bj, bStride, target, t, targetStride, inner);
                } else if (height == ROWS) {
                    tile8x1(a, ai, aRowStride, aInnerStride, b, bj, bStride, target, t, targetStride, inner);
                } else if (width == WIDTH) {
                    tile4x2(a, ai, aRowStride, aInnerStride, b, bj, bStride, target, t, targetStride, height, inner);
                } else {
                    tile4x1(a, ai, aRowStride, aInnerStride, b, bj, bStride, target, t, targetStride, height, inner);
                }
                if (accumulate) {
                    add(target, height, width, c, cj, cStride);
                }
            }
        }
    }

    private static void add(float[] sums, int height, int width, float[] c, int c0, int cStride) {
        for (int row = 0; row < height; row++) {
            for (int j = 0; j < width; j += LANES) {
                int to = c0 + row * cStride + j;
                FloatVector.fromArray(SPECIES, sums, row * WIDTH + j)
                        .add(FloatVector.fromArray(SPECIES, c, to))
                        .intoArray(c, to);
            }
        }
    }

    // The rows of a are reached from two indices and three shared strides: eight indices would not fit in registers
    // with
    // everything else, and the compiler's moves to fetch them cost a quarter of the speed.
    private static void tile8x2(
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
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector c00 = zero;
        FloatVector c01 = zero;
        FloatVector c10 = zero;
        FloatVector c11 = zero;
        FloatVector c20 = zero;
        FloatVector c21 = zero;
        FloatVector c30 = zero;
        FloatVector c31 = zero;
        FloatVector c40 = zero;
        FloatVector c41 = zero;
        FloatVector c50 = zero;
        FloatVector c51 = zero;
        FloatVector c60 = zero;
        FloatVector c61 = zero;
        FloatVector c70 = zero;
        FloatVector c71 = zero;
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
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c10.intoArray(c, c0 + cStride);
        c11.intoArray(c, c0 + cStride + LANES);
        c20.intoArray(c, c0 + 2 * cStride);
        c21.intoArray(c, c0 + 2 * cStride + LANES);
        c30.intoArray(c, c0 + 3 * cStride);
        c31.intoArray(c, c0 + 3 * cStride + LANES);
        c40.intoArray(c, c0 + 4 * cStride);
        c41.intoArray(c, c0 + 4 * cStride + LANES);
        c50.intoArray(c, c0 + 5 * cStride);
        c51.intoArray(c, c0 + 5 * cStride + LANES);
        c60.intoArray(c, c0 + 6 * cStride);
        c61.intoArray(c, c0 + 6 * cStride + LANES);
        c70.intoArray(c, c0 + 7 * cStride);
        c71.intoArray(c, c0 + 7 * cStride + LANES);
    }

    private static void tile8x1(
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
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector c00 = zero;
        FloatVector c10 = zero;
        FloatVector c20 = zero;
        FloatVector c30 = zero;
        FloatVector c40 = zero;
        FloatVector c50 = zero;
        FloatVector c60 = zero;
        FloatVector c70 = zero;
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
        c00.intoArray(c, c0);
        c10.intoArray(c, c0 + cStride);
        c20.intoArray(c, c0 + 2 * cStride);
        c30.intoArray(c, c0 + 3 * cStride);
        c40.intoArray(c, c0 + 4 * cStride);
        c50.intoArray(c, c0 + 5 * cStride);
        c60.intoArray(c, c0 + 6 * cStride);
        c70.intoArray(c, c0 + 7 * cStride);
    }

    /** Up to four rows: those from {@code height} on repeat the last one, and so load, compute and store the same. */
    private static void tile4x2(
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
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector c00 = zero;
        FloatVector c01 = zero;
        FloatVector c10 = zero;
        FloatVector c11 = zero;
        FloatVector c20 = zero;
        FloatVector c21 = zero;
        FloatVector c30 = zero;
        FloatVector c31 = zero;
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
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector c00 = zero;
        FloatVector c10 = zero;
        FloatVector c20 = zero;
        FloatVector c30 = zero;
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
        c00.intoArray(c, c0);
        c10.intoArray(c, c0 + r1 * cStride);
        c20.intoArray(c, c0 + r2 * cStride);
        c30.intoArray(c, c0 + last * cStride);
    }
}
