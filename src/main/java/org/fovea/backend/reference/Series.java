// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/**
 * A number of a {@link SeriesRing}. Products are written out from the ring's definition; a function of a series is its Taylor
 * polynomial, which ends where powers of a series without plane 0 vanish.
 *
 * <p>On demand each plane is followed by a bound of its error, in units of rounding, were every operation rounded (running
 * error analysis, Higham 2002, section 3.3).
 */
final class Series {

    /**
     * The parts of a number.
     *
     * @param rounded type of storage of the rounded computation that errors are bounded for, or null for no errors
     * @param factors what those of a product are off by together, in units of rounding
     * @param carries whether operations carry the errors of their operands on and make none of their own
     */
    record Arithmetic(SeriesRing ring, @Nullable DType rounded, double factors, boolean carries) {
        static final Arithmetic EXACT = new Arithmetic(SeriesRing.NUMBERS, null);

        Arithmetic(SeriesRing ring, @Nullable DType rounded) {
            this(ring, rounded, 0, false);
        }

        /** The same of series. */
        Arithmetic over(SeriesRing other) {
            return new Arithmetic(other, rounded, factors, carries);
        }

        /** The same whose operations make errors of their own. */
        Arithmetic making() {
            return carries ? new Arithmetic(ring, rounded, factors, false) : this;
        }

        /** An error that an operation makes. */
        double own(double error) {
            return carries ? 0 : error;
        }

        /** Of rounding. */
        double unit() {
            return rounded == DType.F64 ? 0x1p-53 : 0x1p-24;
        }

        /** What storing a value costs, in units of rounding of the arithmetic. */
        double storing(double value) {
            if (rounded == DType.BF16) {
                return Math.abs(value) * 0x1p16;
            }
            return rounded == DType.F16 ? Math.abs(value) * 0x1p13 + 0.5 : 0;
        }
    }

    /** Roundings of a function of the library, and of one that is made of some of these. */
    private static final double FUNCTION = 4;

    /** What an exponential is off by where it underflows to 0, in units of rounding: the smallest normal number, 2^-126. */
    private static final double UNDERFLOW = 0x1p-126 / 0x1p-24;

    private final Arithmetic arithmetic;
    private final double[] planes;
    private final double @Nullable [] errors;

    Series(Arithmetic arithmetic) {
        this.arithmetic = arithmetic;
        planes = new double[arithmetic.ring.planes()];
        errors = arithmetic.rounded == null ? null : new double[planes.length];
    }

    static Series constant(Arithmetic arithmetic, double value) {
        Series x = new Series(arithmetic);
        x.planes[0] = value;
        return x;
    }

    double plane(int p) {
        return planes[p];
    }

    double error(int p) {
        return errors == null ? 0 : errors[p];
    }

    void set(int p, double value) {
        planes[p] = value;
    }

    /** The same after a rounding to the type of storage. */
    Series stored() {
        if (errors == null) {
            return this;
        }
        Series x = times(1);
        for (int p = 0; x.errors != null && p < planes.length; p++) {
            x.errors[p] += arithmetic.own(arithmetic.storing(planes[p]));
        }
        return x;
    }

    /** This number, with the errors of another way to compute it. */
    Series withErrorsOf(Series other) {
        for (int p = 0; errors != null && p < planes.length; p++) {
            errors[p] = other.error(p);
        }
        return this;
    }

    /**
     * This score for operations of another arithmetic, which may only carry errors: then that of plane 0 is left out, and what
     * remains is how far tangents of scores are off.
     */
    Series score(Arithmetic other) {
        if (other.carries == arithmetic.carries) {
            return this;
        }
        Series x = new Series(other);
        System.arraycopy(planes, 0, x.planes, 0, planes.length);
        x.withErrorsOf(this);
        if (x.errors != null && other.carries) {
            x.errors[0] = 0;
        }
        return x;
    }

    /** A product of which 0 is 0, whatever the other factor. */
    private static double bound(double x, double y) {
        return x == 0 || y == 0 ? 0 : Math.abs(x * y);
    }

    /** {@code this += x y} */
    void addProduct(Series x, Series y) {
        if (planes.length == 1) {
            addProduct(0, x, 0, y, 0);
            return;
        }
        for (int target = 0; target < planes.length; target++) {
            for (int left = 0; left <= target; left++) {
                boolean isPart = !arithmetic.ring.mixed() || (left & target) == left;
                if (isPart) {
                    addProduct(target, x, left, y, target - left);
                }
            }
        }
    }

    private void addProduct(int target, Series x, int left, Series y, int right) {
        double product = x.planes[left] * y.planes[right];
        double sum = planes[target] + product;
        planes[target] = sum;
        if (errors == null) {
            return;
        }
        double ofX = x.error(left);
        double ofY = y.error(right);
        double error = 0;
        if (ofX != 0 || ofY != 0) {
            error = bound(x.planes[left], ofY) + bound(ofX, y.planes[right]);
            if (ofX != 0 && ofY != 0) {
                // All that is left of a bound where both factors are 0, as a slope that has cancelled and what it
                // scales.
                error += bound(ofX, ofY) * arithmetic.unit();
            }
        }
        errors[target] += error + arithmetic.own((1 + arithmetic.factors) * Math.abs(product) + Math.abs(sum));
    }

    Series times(Series x) {
        Series y = new Series(arithmetic);
        y.addProduct(this, x);
        return y;
    }

    Series times(double factor) {
        Series y = new Series(arithmetic);
        for (int p = 0; p < planes.length; p++) {
            y.planes[p] = planes[p] * factor;
            if (y.errors != null) {
                y.errors[p] = bound(error(p), factor) + arithmetic.own(2 * Math.abs(y.planes[p]));
            }
        }
        return y;
    }

    Series plus(Series x) {
        return plus(x, 1);
    }

    Series minus(Series x) {
        return plus(x, -1);
    }

    private Series plus(Series x, int sign) {
        Series y = new Series(arithmetic);
        for (int p = 0; p < planes.length; p++) {
            y.planes[p] = planes[p] + sign * x.planes[p];
            if (y.errors != null) {
                y.errors[p] = error(p) + x.error(p) + arithmetic.own(Math.abs(y.planes[p]));
            }
        }
        return y;
    }

    Series plus(double constant) {
        return plus(constant(arithmetic, constant));
    }

    /** The highest power of a series without plane 0 that is not 0. */
    private int degree() {
        return arithmetic.ring.mixed() ? Integer.numberOfTrailingZeros(planes.length) : planes.length - 1;
    }

    private Series function(double[] f) {
        return function(f, f);
    }

    /**
     * @param f the k-th derivative of the function at plane 0, over k!, for k up to one more than are needed
     * @param sizes of the terms that each is the sum of
     */
    private Series function(double[] f, double[] sizes) {
        Series moved = times(1);
        moved.planes[0] = 0;
        Series y = new Series(arithmetic);
        for (int k = f.length - 2; k >= 0; k--) {
            y = y.times(moved);
            y.planes[0] = f[k];
            if (y.errors != null) {
                y.errors[0] = bound((k + 1) * f[k + 1], error(0)) + arithmetic.own(FUNCTION * Math.abs(sizes[k]));
            }
        }
        return y;
    }

    Series exp() {
        double[] f = new double[degree() + 2];
        double[] sizes = new double[f.length];
        f[0] = Math.exp(planes[0]);
        sizes[0] = f[0] + UNDERFLOW;
        for (int k = 1; k < f.length; k++) {
            f[k] = f[k - 1] / k;
            sizes[k] = sizes[k - 1] / k;
        }
        return function(f, sizes);
    }

    Series log() {
        double[] f = new double[degree() + 2];
        f[0] = Math.log(planes[0]);
        for (int k = 1; k < f.length; k++) {
            f[k] = -Math.pow(-1 / planes[0], k) / k;
        }
        return function(f);
    }

    /** {@code this^exponent}, by the binomial series. */
    Series power(double exponent) {
        double[] f = new double[degree() + 2];
        double binomial = 1;
        for (int k = 0; k < f.length; k++) {
            f[k] = binomial * Math.pow(planes[0], exponent - k);
            binomial *= (exponent - k) / (k + 1);
        }
        return function(f);
    }

    /** The derivatives are polynomials in {@code t = tanh}, of which {@code t' = 1 - t^2}. */
    Series tanh() {
        double t = Math.tanh(planes[0]);
        double[] f = new double[degree() + 2];
        double[] sizes = new double[f.length];
        double[] polynomial = new double[f.length + 3];
        polynomial[1] = 1;
        for (int k = 0; k < f.length; k++) {
            for (int power = polynomial.length - 1; power >= 0; power--) {
                f[k] = f[k] * t + polynomial[power];
                sizes[k] = sizes[k] * Math.abs(t) + Math.abs(polynomial[power]);
            }
            double[] next = new double[polynomial.length];
            for (int power = 1; power < polynomial.length - 1; power++) {
                double slope = power * polynomial[power] / (k + 1);
                next[power - 1] += slope;
                next[power + 1] -= slope;
            }
            polynomial = next;
        }
        return function(f, sizes);
    }
}
