package org.fovea.cli.selftest;

import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Scope;

/**
 * What a check works with: a backend, numbers that are the same on every machine, and comparisons. Errors are counted in
 * units of rounding, 2^-24 in float32, relative to the magnitude of what was summed up.
 */
final class Trial implements AutoCloseable {
    static final double UNIT = 0x1p-24;

    /** Roundings of float32 in one of TF32, which keeps 11 bits. */
    private static final double TF32_ROUNDING = 0x1p13;

    private final Backend backend;
    private final boolean deep;
    private final boolean tf32;
    private Scope scope;
    private final Random random = new Random(1);
    private double error = Double.NaN;
    private double share;

    /** @param tf32 whether factors of matrix products and of attention may be rounded to TF32 */
    Trial(Backend backend, boolean deep, boolean tf32) {
        this.backend = backend;
        this.deep = deep;
        this.tf32 = tf32;
        scope = backend.openScope();
    }

    Backend backend() {
        return backend;
    }

    /** The first in a quick run, the second in a deep one. */
    <T> T choose(T quick, T thorough) {
        return deep ? thorough : quick;
    }

    /** Roundings to allow a sum of products: those of float32, and so many of its factors if they are to TF32. */
    double ofProducts(double roundings, double ofFactors) {
        return tf32 ? roundings + ofFactors * TF32_ROUNDING : roundings;
    }

    double error() {
        return error;
    }

    double share() {
        return share;
    }

    // ---- numbers and arrays

    /** Standard normal numbers that float32 holds exactly. */
    double[] normal(int length) {
        double[] values = new double[length];
        Arrays.setAll(values, i -> (float) random.nextGaussian());
        return values;
    }

    /** Whole numbers in [0, bound). */
    int[] integers(int length, int bound) {
        return random.ints(length, 0, bound).toArray();
    }

    DeviceArray floats(double... values) {
        return floats(backend.floatType(), values);
    }

    DeviceArray floats(DType type, double... values) {
        DeviceArray array = scope.allocate(type, values.length);
        backend.upload(values, 0, array);
        return array;
    }

    DeviceArray ints(int... values) {
        DeviceArray array = scope.allocate(DType.I32, values.length);
        backend.upload(values, 0, array);
        return array;
    }

    /** An array of NaN, so that what is not written shows. */
    DeviceArray output(long length) {
        return output(backend.floatType(), length);
    }

    DeviceArray output(DType type, long length) {
        DeviceArray array = scope.allocate(type, length);
        backend.fill(array, Double.NaN);
        return array;
    }

    DeviceArray intOutput(int length) {
        DeviceArray array = scope.allocate(DType.I32, length);
        backend.fill(array, -1);
        return array;
    }

    /** Ends all arrays so far, for checks that need many. */
    void discard() {
        scope.close();
        scope = backend.openScope();
    }

    double[] download(DeviceArray array) {
        double[] values = new double[Math.toIntExact(array.length())];
        backend.download(array, values, 0);
        return values;
    }

    int[] downloadInts(DeviceArray array) {
        int[] values = new int[Math.toIntExact(array.length())];
        backend.download(array, values, 0);
        return values;
    }

    // ---- comparisons

    /** Requires the very same numbers. */
    void equal(String what, DeviceArray found, double[] expected) {
        within(what, download(found), expected, new double[expected.length], 0);
    }

    /** Requires the very same numbers. */
    void equal(String what, DeviceArray found, int[] expected) {
        int[] values = downloadInts(found);
        error = Math.max(0, Double.isNaN(error) ? 0 : error);
        for (int i = 0; i < expected.length; i++) {
            if (values[i] != expected[i]) {
                throw new WrongResultException(what + ": element " + i + " of " + expected.length + " is " + values[i]
                        + ", expected " + expected[i]);
            }
        }
    }

    /** Requires errors of at most so many roundings of numbers as large as the largest expected one, or as 1. */
    void near(String what, DeviceArray found, double[] expected, double roundings) {
        double largest = Arrays.stream(expected)
                .filter(Double::isFinite)
                .map(Math::abs)
                .max()
                .orElse(0);
        double[] magnitudes = new double[expected.length];
        Arrays.fill(magnitudes, 1 + largest);
        within(what, download(found), expected, magnitudes, roundings * UNIT);
    }

    /** Requires errors of at most so many roundings of numbers as large as the magnitudes. */
    void near(String what, DeviceArray found, double[] expected, double[] magnitudes, double roundings) {
        within(what, download(found), expected, magnitudes, roundings * UNIT);
    }

    /** Requires {@code |found - expected| <= allowed magnitude}, and infinities and NaN where they are expected. */
    void within(String what, double[] found, double[] expected, double[] magnitudes, double allowed) {
        error = Double.isNaN(error) ? 0 : error;
        for (int i = 0; i < expected.length; i++) {
            double difference = Math.abs(found[i] - expected[i]);
            if (Double.compare(found[i], expected[i]) == 0 || difference == 0) {
                continue;
            }
            // NaN, where one of the two is not finite, is not within anything.
            if (!(difference <= allowed * magnitudes[i])) {
                throw new WrongResultException(String.format(
                        Locale.ROOT,
                        "%s: element %d of %d is %.9g, expected %.9g within %.2g",
                        what,
                        i,
                        expected.length,
                        found[i],
                        expected[i],
                        allowed * magnitudes[i]));
            }
            error = Math.max(error, difference / magnitudes[i]);
            share = Math.max(share, difference / (allowed * magnitudes[i]));
        }
    }

    @Override
    public void close() {
        scope.close();
    }
}
