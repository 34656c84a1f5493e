// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.scalar;

import org.fovea.backend.cpu.kernels.DoubleKernels;

/** {@link DoubleKernels} as plain loops over whole rows, which compilers turn into vectors. */
public final class ScalarDoubleKernels implements DoubleKernels {

    @Override
    public void exp(double[] x, int count) {
        for (int i = 0; i < count; i++) {
            x[i] = Math.exp(x[i]);
        }
    }

    @Override
    public void multiplyAdd(
            double[] a,
            int aRow,
            int aStep,
            double[] b,
            int bStride,
            double[] c,
            int cOffset,
            int cStride,
            int rows,
            int inner,
            int columns) {
        for (int r = 0; r < rows; r++) {
            int at = r * aRow;
            int to = cOffset + r * cStride;
            int k = 0;
            for (; k + 8 <= inner; k += 8, at += 8 * aStep) {
                addEight(
                        a[at],
                        a[at + aStep],
                        a[at + 2 * aStep],
                        a[at + 3 * aStep],
                        a[at + 4 * aStep],
                        a[at + 5 * aStep],
                        a[at + 6 * aStep],
                        a[at + 7 * aStep],
                        b,
                        k * bStride,
                        bStride,
                        c,
                        to,
                        columns);
            }
            for (; k < inner; k++, at += aStep) {
                addOne(a[at], b, k * bStride, c, to, columns);
            }
        }
    }

    /** {@link #multiplyAdd}, but products with elements of {@code a} where {@code hidden} is set are left out, whatever b holds. */
    public static void multiplyAddVisible(
            boolean[] hidden,
            double[] a,
            int aRow,
            int aStep,
            double[] b,
            int bStride,
            double[] c,
            int cOffset,
            int cStride,
            int rows,
            int inner,
            int columns) {
        for (int r = 0; r < rows; r++) {
            for (int k = 0; k < inner; k++) {
                int at = r * aRow + k * aStep;
                if (!hidden[at]) {
                    addOne(a[at], b, k * bStride, c, cOffset + r * cStride, columns);
                }
            }
        }
    }

    private static void addOne(double factor, double[] b, int from, double[] c, int to, int count) {
        for (int x = 0; x < count; x++) {
            c[to + x] += factor * b[from + x];
        }
    }

    private static void addEight(
            double a0,
            double a1,
            double a2,
            double a3,
            double a4,
            double a5,
            double a6,
            double a7,
            double[] b,
            int b0,
            int stride,
            double[] c,
            int to,
            int count) {
        int b1 = b0 + stride;
        int b2 = b1 + stride;
        int b3 = b2 + stride;
        int b4 = b3 + stride;
        int b5 = b4 + stride;
        int b6 = b5 + stride;
        int b7 = b6 + stride;
        for (int x = 0; x < count; x++) {
            c[to + x] += a0 * b[b0 + x]
                    + a1 * b[b1 + x]
                    + a2 * b[b2 + x]
                    + a3 * b[b3 + x]
                    + a4 * b[b4 + x]
                    + a5 * b[b5 + x]
                    + a6 * b[b6 + x]
                    + a7 * b[b7 + x];
        }
    }

    public static boolean allFinite(double[] x, int count) {
        for (int i = 0; i < count; i++) {
            if (!Double.isFinite(x[i])) {
                return false;
            }
        }
        return true;
    }
}
