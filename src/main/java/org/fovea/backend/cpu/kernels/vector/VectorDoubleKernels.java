// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.fovea.backend.cpu.kernels.DoubleKernels;

/** {@link DoubleKernels} on the widest vectors that the machine prefers. */
final class VectorDoubleKernels implements DoubleKernels {
    private static final VectorSpecies<Double> SPECIES = DoubleVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();

    /** Added to a number below 2^51 it leaves the nearest integer in the lowest bits. */
    private static final double ROUND = 0x1.8p52;

    private static final double LOG2_E = 1 / Math.log(2);

    // ln 2 in two parts, the first with enough zeros at its end that multiples of it are exact.
    private static final double LN2_HIGH = 0x1.62e42feep-1;
    private static final double LN2_LOW = 0x1.a39ef35793c76p-33;

    /** Below the logarithm of the smallest number, and above that of the largest. */
    private static final double LEAST = -746;

    private static final double MOST = 710;

    /** 1 / k!, from the highest: the series of exp up to |x| = ln 2 / 2, where the next term is below 2^-58. */
    private static final double[] INVERSE_FACTORIALS = new double[14];

    static {
        double factorial = 1;
        for (int k = 0; k < INVERSE_FACTORIALS.length; k++) {
            factorial *= Math.max(1, k);
            INVERSE_FACTORIALS[INVERSE_FACTORIALS.length - 1 - k] = 1 / factorial;
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
        int wide = columns - columns % (2 * LANES);
        int single = columns - columns % LANES;
        int r = 0;
        for (; r + 4 <= rows; r += 4) {
            int row = cOffset + r * cStride;
            for (int x = 0; x < wide; x += 2 * LANES) {
                fourRows(a, r * aRow, aRow, aStep, b, x, bStride, c, row + x, cStride, inner);
            }
        }
        for (int left = r; left < rows; left++) {
            for (int x = 0; x < wide; x += LANES) {
                oneRow(a, left * aRow, aStep, b, x, bStride, c, cOffset + left * cStride + x, inner);
            }
        }
        if (wide == columns) {
            return;
        }
        for (r = 0; r < rows; r++) {
            int row = cOffset + r * cStride;
            if (wide < single) {
                oneRow(a, r * aRow, aStep, b, wide, bStride, c, row + wide, inner);
            }
            for (int x = single; x < columns; x++) {
                double sum = c[row + x];
                for (int k = 0; k < inner; k++) {
                    sum += a[r * aRow + k * aStep] * b[k * bStride + x];
                }
                c[row + x] = sum;
            }
        }
    }

    /** Four rows of c, two vectors of each. */
    private static void fourRows(
            double[] a,
            int a0,
            int aRow,
            int aStep,
            double[] b,
            int b0,
            int bStride,
            double[] c,
            int c0,
            int cStride,
            int inner) {
        int c1 = c0 + cStride;
        int c2 = c1 + cStride;
        int c3 = c2 + cStride;
        DoubleVector c00 = DoubleVector.fromArray(SPECIES, c, c0);
        DoubleVector c01 = DoubleVector.fromArray(SPECIES, c, c0 + LANES);
        DoubleVector c10 = DoubleVector.fromArray(SPECIES, c, c1);
        DoubleVector c11 = DoubleVector.fromArray(SPECIES, c, c1 + LANES);
        DoubleVector c20 = DoubleVector.fromArray(SPECIES, c, c2);
        DoubleVector c21 = DoubleVector.fromArray(SPECIES, c, c2 + LANES);
        DoubleVector c30 = DoubleVector.fromArray(SPECIES, c, c3);
        DoubleVector c31 = DoubleVector.fromArray(SPECIES, c, c3 + LANES);
        int at = a0;
        int from = b0;
        for (int k = 0; k < inner; k++) {
            DoubleVector left = DoubleVector.fromArray(SPECIES, b, from);
            DoubleVector right = DoubleVector.fromArray(SPECIES, b, from + LANES);
            DoubleVector x0 = DoubleVector.broadcast(SPECIES, a[at]);
            DoubleVector x1 = DoubleVector.broadcast(SPECIES, a[at + aRow]);
            DoubleVector x2 = DoubleVector.broadcast(SPECIES, a[at + 2 * aRow]);
            DoubleVector x3 = DoubleVector.broadcast(SPECIES, a[at + 3 * aRow]);
            c00 = x0.fma(left, c00);
            c01 = x0.fma(right, c01);
            c10 = x1.fma(left, c10);
            c11 = x1.fma(right, c11);
            c20 = x2.fma(left, c20);
            c21 = x2.fma(right, c21);
            c30 = x3.fma(left, c30);
            c31 = x3.fma(right, c31);
            at += aStep;
            from += bStride;
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c10.intoArray(c, c1);
        c11.intoArray(c, c1 + LANES);
        c20.intoArray(c, c2);
        c21.intoArray(c, c2 + LANES);
        c30.intoArray(c, c3);
        c31.intoArray(c, c3 + LANES);
    }

    /** One vector of a row of c. */
    private static void oneRow(
            double[] a, int a0, int aStep, double[] b, int b0, int bStride, double[] c, int c0, int inner) {
        DoubleVector sum = DoubleVector.fromArray(SPECIES, c, c0);
        for (int k = 0; k < inner; k++) {
            DoubleVector x = DoubleVector.fromArray(SPECIES, b, b0 + k * bStride);
            sum = DoubleVector.broadcast(SPECIES, a[a0 + k * aStep]).fma(x, sum);
        }
        sum.intoArray(c, c0);
    }

    @Override
    public void exp(double[] x, int count) {
        int whole = count - count % LANES;
        for (int i = 0; i < whole; i += LANES) {
            exp(DoubleVector.fromArray(SPECIES, x, i)).intoArray(x, i);
        }
        for (int i = whole; i < count; i++) {
            x[i] = Math.exp(x[i]);
        }
    }

    /** With x = n ln 2 + r, exp(x) = 2^n exp(r), and the power of two in two factors for results beyond normal numbers. */
    private static DoubleVector exp(DoubleVector number) {
        DoubleVector x = number.max(LEAST).min(MOST);
        DoubleVector n = x.mul(LOG2_E).add(ROUND).sub(ROUND);
        DoubleVector r = n.fma(DoubleVector.broadcast(SPECIES, -LN2_HIGH), x);
        r = n.fma(DoubleVector.broadcast(SPECIES, -LN2_LOW), r);
        DoubleVector sum = DoubleVector.broadcast(SPECIES, INVERSE_FACTORIALS[0]);
        for (int k = 1; k < INVERSE_FACTORIALS.length; k++) {
            sum = sum.fma(r, DoubleVector.broadcast(SPECIES, INVERSE_FACTORIALS[k]));
        }
        DoubleVector half = n.mul(0.5).add(ROUND).sub(ROUND);
        return sum.mul(powerOfTwo(half)).mul(powerOfTwo(n.sub(half)));
    }

    private static DoubleVector powerOfTwo(DoubleVector n) {
        LongVector bits = n.add(ROUND).reinterpretAsLongs();
        return bits.add(1023).lanewise(VectorOperators.LSHL, 52).reinterpretAsDoubles();
    }
}
