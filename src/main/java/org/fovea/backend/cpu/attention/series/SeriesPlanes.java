// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.attention.SeriesRing.Term;

/**
 * Arithmetic on many numbers of a {@link SeriesRing} at once, held plane by plane. A plane that is null is zero, and
 * products with it are left out: which planes of a result are there is a matter of the call, not of the numbers, and so
 * is told beforehand by the methods that give a {@link BitSet}.
 */
final class SeriesPlanes {
    final int planes;
    private final Term[][] products;
    private final Term[][] derivations;

    SeriesPlanes(SeriesRing ring) {
        planes = ring.planes();
        products = byTarget(ring.products());
        derivations = byTarget(ring.derivations());
    }

    private Term[][] byTarget(List<Term> terms) {
        Term[][] byTarget = new Term[planes][];
        for (int t = 0; t < planes; t++) {
            int target = t;
            byTarget[t] = terms.stream().filter(term -> term.target() == target).toArray(Term[]::new);
        }
        return byTarget;
    }

    /** The terms of plane {@code target} of a product. */
    Term[] products(int target) {
        return products[target];
    }

    /** All planes. */
    BitSet all() {
        BitSet all = new BitSet(planes);
        all.set(0, planes);
        return all;
    }

    /** Planes of a product. */
    BitSet product(BitSet x, BitSet y) {
        BitSet z = new BitSet(planes);
        for (Term[] terms : products) {
            for (Term term : terms) {
                if (x.get(term.left()) && y.get(term.right())) {
                    z.set(term.target());
                }
            }
        }
        return z;
    }

    /** Planes of a function of a number: every product of its planes. */
    BitSet function(BitSet x) {
        BitSet y = new BitSet(planes);
        y.set(0);
        for (int t = 1; t < planes; t++) {
            for (Term term : derivations[t]) {
                if (x.get(term.left()) && y.get(term.right())) {
                    y.set(t);
                }
            }
        }
        return y;
    }

    /** Planes of a sum. */
    static BitSet sum(BitSet x, BitSet y) {
        BitSet z = (BitSet) x.clone();
        z.or(y);
        return z;
    }

    /** Room for {@code size} numbers that have the given planes. */
    double[][] allocate(BitSet present, int size) {
        double[][] x = new double[planes][];
        for (int p = present.nextSetBit(0); p >= 0; p = present.nextSetBit(p + 1)) {
            x[p] = new double[size];
        }
        return x;
    }

    static void clear(double[][] x, int size) {
        for (double[] plane : x) {
            if (plane != null) {
                Arrays.fill(plane, 0, size, 0);
            }
        }
    }

    static void scale(double[][] x, double factor, int size) {
        for (double[] plane : x) {
            if (plane != null) {
                for (int i = 0; i < size; i++) {
                    plane[i] *= factor;
                }
            }
        }
    }

    /** {@code z = x y}, element by element. */
    void multiply(double[][] x, double[][] y, double[][] z, int size) {
        for (int t = 0; t < planes; t++) {
            if (z[t] != null) {
                Arrays.fill(z[t], 0, size, 0);
                addProducts(x, y, z[t], t, 1, size);
            }
        }
    }

    /** Adds {@code weight} times plane {@code target} of {@code x y} to {@code z}. */
    private void addProducts(double[][] x, double[][] y, double[] z, int target, double weight, int size) {
        for (Term term : products[target]) {
            double[] left = x[term.left()];
            double[] right = y[term.right()];
            if (left != null && right != null) {
                addProduct(left, right, weight, z, size);
            }
        }
    }

    private static void addProduct(double[] x, double[] y, double weight, double[] z, int size) {
        if (weight == 1) {
            for (int i = 0; i < size; i++) {
                z[i] += x[i] * y[i];
            }
        } else {
            for (int i = 0; i < size; i++) {
                z[i] += weight * (x[i] * y[i]);
            }
        }
    }

    /** Makes plane {@code target} of {@code f(x)} from those before it, given the planes of {@code f'(x)} before it. */
    private void derive(double[][] x, double[][] derivative, double[] y, int target, int size) {
        Arrays.fill(y, 0, size, 0);
        for (Term term : derivations[target]) {
            double[] left = x[term.left()];
            double[] right = derivative[term.right()];
            if (left != null && right != null) {
                addProduct(left, right, term.weight(), y, size);
            }
        }
    }

    /** {@code y = exp(x)}, of which plane 0 is given. */
    void exp(double[][] x, double[][] y, int size) {
        for (int t = 1; t < planes; t++) {
            if (y[t] != null) {
                derive(x, y, y[t], t, size);
            }
        }
    }

    /**
     * {@code y = log(x)}, all planes but 0: with x y' = x', the term of the highest plane of y stands alone.
     *
     * @param inverse of plane 0 of x
     */
    void log(double[][] x, double[] inverse, double[][] y, int size) {
        for (int t = 1; t < planes; t++) {
            double[] target = y[t];
            if (target == null) {
                continue;
            }
            double[] source = x[t];
            if (source == null) {
                Arrays.fill(target, 0, size, 0);
            } else {
                System.arraycopy(source, 0, target, 0, size);
            }
            for (Term term : derivations[t]) {
                double[] left = y[term.left()];
                double[] right = x[term.right()];
                if (term.left() != t && left != null && right != null) {
                    addProduct(left, right, -term.weight(), target, size);
                }
            }
            for (int i = 0; i < size; i++) {
                target[i] *= inverse[i];
            }
        }
    }

    /**
     * {@code x = cap tanh(x / cap)} and its derivative, {@code slope = 1 - tanh^2}.
     *
     * @param raw room for x as it was, of which the derivative takes all planes
     */
    void softcap(double cap, double[][] x, double[][] slope, double[][] raw, int size) {
        double inverseSquare = -1 / (cap * cap);
        for (int t = 0; t < planes; t++) {
            double[] y = x[t];
            double[] g = slope[t];
            if (t == 0) {
                System.arraycopy(y, 0, raw[0], 0, size);
                softcap(cap, y, g, size);
                continue;
            }
            if (y != null) {
                System.arraycopy(y, 0, raw[t], 0, size);
                derive(raw, slope, y, t, size);
            }
            if (g != null) {
                Arrays.fill(g, 0, size, 0);
                addProducts(x, x, g, t, inverseSquare, size);
            }
        }
    }

    private static void softcap(double cap, double[] x, double[] slope, int size) {
        double inverse = 1 / cap;
        for (int i = 0; i < size; i++) {
            double tanh = Math.tanh(x[i] * inverse);
            slope[i] = 1 - tanh * tanh;
            x[i] = cap * tanh;
        }
    }

    /**
     * {@code y = 1 / sqrt(x)}, whose derivative is {@code -y^3 / 2}; 0 in all planes where x is 0.
     *
     * @param square room for y^2, and {@code cube} for y^3
     */
    void inverseRoot(double[][] x, double[][] y, double[][] square, double[][] cube, int size) {
        for (int t = 0; t < planes; t++) {
            Arrays.fill(square[t], 0, size, 0);
            Arrays.fill(cube[t], 0, size, 0);
            double[] target = y[t];
            if (target == null) {
                continue;
            }
            if (t == 0) {
                double[] values = x[0];
                for (int i = 0; i < size; i++) {
                    target[i] = values[i] == 0 ? 0 : 1 / Math.sqrt(values[i]);
                }
            } else {
                derive(x, cube, target, t, size);
            }
            addProducts(y, y, square[t], t, 1, size);
            addProducts(square, y, cube[t], t, -0.5, size);
        }
    }

    /** Divides rows of {@code x}, whose planes come one after the other, by {@code divisor}, one number a row. */
    void divideRows(double[][] x, double[][] divisor, double[] inverse, int rows, int columns) {
        for (int t = 0; t < planes; t++) {
            double[] target = x[t];
            if (target == null) {
                continue;
            }
            for (Term term : products[t]) {
                double[] left = divisor[term.left()];
                double[] right = x[term.right()];
                if (term.left() != 0 && left != null && right != null) {
                    addRowProduct(left, right, -1, target, rows, columns);
                }
            }
            for (int r = 0; r < rows; r++) {
                for (int c = 0; c < columns; c++) {
                    target[r * columns + c] *= inverse[r];
                }
            }
        }
    }

    /** {@code x = factor x}, one factor a row. */
    void multiplyRows(double[][] x, double[][] factor, int rows, int columns) {
        // From the last plane to the first: a plane is made of itself and those before it.
        for (int t = planes - 1; t >= 0; t--) {
            double[] target = x[t];
            if (target == null) {
                continue;
            }
            double[] same = factor[0];
            for (int r = 0; r < rows; r++) {
                for (int c = 0; c < columns; c++) {
                    target[r * columns + c] *= same[r];
                }
            }
            for (Term term : products[t]) {
                double[] left = factor[term.left()];
                double[] right = x[term.right()];
                if (term.left() != 0 && left != null && right != null) {
                    addRowProduct(left, right, 1, target, rows, columns);
                }
            }
        }
    }

    /** Adds {@code weight} times the product of rows with one number each. */
    void addRowProducts(double[][] factor, double[][] x, double weight, double[][] z, int rows, int columns) {
        for (int t = 0; t < planes; t++) {
            double[] target = z[t];
            if (target == null) {
                continue;
            }
            for (Term term : products[t]) {
                double[] left = factor[term.left()];
                double[] right = x[term.right()];
                if (left != null && right != null) {
                    addRowProduct(left, right, weight, target, rows, columns);
                }
            }
        }
    }

    private static void addRowProduct(double[] factor, double[] x, double weight, double[] z, int rows, int columns) {
        for (int r = 0; r < rows; r++) {
            double f = weight * factor[r];
            for (int at = r * columns; at < (r + 1) * columns; at++) {
                z[at] += f * x[at];
            }
        }
    }

    /** Adds to {@code z} the inner product of each row of x with that of y. */
    void addRowDots(double[][] x, double[][] y, double[][] z, int rows, int columns) {
        for (int t = 0; t < planes; t++) {
            double[] target = z[t];
            if (target == null) {
                continue;
            }
            for (Term term : products[t]) {
                double[] left = x[term.left()];
                double[] right = y[term.right()];
                if (left == null || right == null) {
                    continue;
                }
                for (int r = 0; r < rows; r++) {
                    double sum = 0;
                    for (int at = r * columns; at < (r + 1) * columns; at++) {
                        sum += left[at] * right[at];
                    }
                    target[r] += sum;
                }
            }
        }
    }

    static void scaleRow(double[][] x, double factor, int row, int columns) {
        for (double[] plane : x) {
            if (plane != null) {
                for (int at = row * columns; at < (row + 1) * columns; at++) {
                    plane[at] *= factor;
                }
            }
        }
    }

    static boolean allFinite(double[][] x, int size) {
        for (double[] plane : x) {
            if (plane != null) {
                for (int at = 0; at < size; at++) {
                    if (!Double.isFinite(plane[at])) {
                        return false;
                    }
                }
            }
        }
        return true;
    }

    static void zeroRow(double[][] x, int row, int columns) {
        for (double[] plane : x) {
            if (plane != null) {
                Arrays.fill(plane, row * columns, (row + 1) * columns, 0);
            }
        }
    }

    static void addRowSums(double[] x, double[] sums, int rows, int columns) {
        for (int r = 0; r < rows; r++) {
            double sum = 0;
            for (int at = r * columns; at < (r + 1) * columns; at++) {
                sum += x[at];
            }
            sums[r] += sum;
        }
    }

    static void addColumnSums(double[] x, double[] sums, int firstSum, int rows, int columns) {
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                sums[firstSum + c] += x[r * columns + c];
            }
        }
    }

    static void subtractFromRows(double[] subtrahend, double[] x, int rows, int columns) {
        for (int r = 0; r < rows; r++) {
            double s = subtrahend[r];
            for (int at = r * columns; at < (r + 1) * columns; at++) {
                x[at] -= s;
            }
        }
    }
}
