package org.fovea.backend.reference;

import org.fovea.backend.SeriesRing;

/**
 * A number of a {@link SeriesRing}. Products are written out from the ring's definition; a function of a series is its Taylor
 * polynomial, which ends where powers of a series without plane 0 vanish.
 */
final class Series {
    private final SeriesRing ring;
    private final double[] planes;

    Series(SeriesRing ring) {
        this.ring = ring;
        planes = new double[ring.planes()];
    }

    static Series constant(SeriesRing ring, double value) {
        Series x = new Series(ring);
        x.planes[0] = value;
        return x;
    }

    double plane(int p) {
        return planes[p];
    }

    void set(int p, double value) {
        planes[p] = value;
    }

    private Series copy() {
        Series x = new Series(ring);
        System.arraycopy(planes, 0, x.planes, 0, planes.length);
        return x;
    }

    /** {@code this += x y} */
    void addProduct(Series x, Series y) {
        if (planes.length == 1) {
            planes[0] += x.planes[0] * y.planes[0];
            return;
        }
        for (int target = 0; target < planes.length; target++) {
            for (int left = 0; left <= target; left++) {
                boolean isPart = !ring.mixed() || (left & target) == left;
                if (isPart) {
                    planes[target] += x.planes[left] * y.planes[target - left];
                }
            }
        }
    }

    Series times(Series x) {
        Series y = new Series(ring);
        y.addProduct(this, x);
        return y;
    }

    Series times(double factor) {
        Series y = new Series(ring);
        for (int p = 0; p < planes.length; p++) {
            y.planes[p] = planes[p] * factor;
        }
        return y;
    }

    Series plus(Series x) {
        Series y = copy();
        for (int p = 0; p < planes.length; p++) {
            y.planes[p] += x.planes[p];
        }
        return y;
    }

    Series minus(Series x) {
        Series y = copy();
        for (int p = 0; p < planes.length; p++) {
            y.planes[p] -= x.planes[p];
        }
        return y;
    }

    Series plus(double constant) {
        Series y = copy();
        y.planes[0] += constant;
        return y;
    }

    /** The highest power of a series without plane 0 that is not 0. */
    private int degree() {
        return ring.mixed() ? Integer.numberOfTrailingZeros(planes.length) : planes.length - 1;
    }

    /** @param f the k-th derivative of the function at plane 0, over k! */
    private Series function(double[] f) {
        Series moved = copy();
        moved.planes[0] = 0;
        Series y = constant(ring, f[f.length - 1]);
        for (int k = f.length - 2; k >= 0; k--) {
            y = y.times(moved);
            y.planes[0] = f[k];
        }
        return y;
    }

    Series exp() {
        double[] f = new double[degree() + 1];
        f[0] = Math.exp(planes[0]);
        for (int k = 1; k < f.length; k++) {
            f[k] = f[k - 1] / k;
        }
        return function(f);
    }

    Series log() {
        double[] f = new double[degree() + 1];
        f[0] = Math.log(planes[0]);
        for (int k = 1; k < f.length; k++) {
            f[k] = -Math.pow(-1 / planes[0], k) / k;
        }
        return function(f);
    }

    /** {@code this^exponent}, by the binomial series. */
    Series power(double exponent) {
        double[] f = new double[degree() + 1];
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
        double[] f = new double[degree() + 1];
        double[] polynomial = new double[f.length + 3];
        polynomial[1] = 1;
        for (int k = 0; k < f.length; k++) {
            for (int power = polynomial.length - 1; power >= 0; power--) {
                f[k] = f[k] * t + polynomial[power];
            }
            double[] next = new double[polynomial.length];
            for (int power = 1; power < polynomial.length - 1; power++) {
                double slope = power * polynomial[power] / (k + 1);
                next[power - 1] += slope;
                next[power + 1] -= slope;
            }
            polynomial = next;
        }
        return function(f);
    }
}
