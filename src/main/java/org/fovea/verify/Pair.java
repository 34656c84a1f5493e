// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings.Precision;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.reference.ReferenceBackend;

/**
 * A backend under test and the reference: the same arrays on both, the same operation run on both, the results
 * compared. Every array lies between guards, so that reading or writing past its end shows.
 */
public final class Pair implements AutoCloseable {

    private static final int GUARD = 16;
    private static final int GUARD_INTEGER = -987654321;

    /** The least number that rounds to an infinity in binary16: half a unit above its largest. */
    private static final double F16_OVERFLOW = 65520;

    /** The backend under test. */
    public final Backend tested;

    /** The backend that it is compared with. */
    public final Backend reference;

    /** Roundings of float32 in one of a factor of a product. */
    private final double factorRounding;

    private double error = Double.NaN;
    private double share;

    private final Scope testedScope;
    private final Scope referenceScope;

    /** Two backends that stay open for as long as this. */
    public Pair(Backend tested, Backend reference) {
        this(tested, reference, Precision.FLOAT32);
    }

    /** @param precision of products of the backend under test */
    public Pair(Backend tested, Backend reference, Precision precision) {
        // Of float32's 24 bits TF32 keeps 11, and bf16 8.
        this.factorRounding = switch (precision) {
            case FLOAT32 -> 0;
            case TF32 -> 0x1p13;
            case BF16 -> 0x1p16;
        };
        this.tested = tested;
        this.reference = reference;
        testedScope = tested.memory().openScope();
        referenceScope = reference.memory().openScope();
    }

    /** One array on both backends. */
    public final class Both {
        private final DeviceArray onTested;
        private final DeviceArray onReference;
        private final DeviceArray guarded;
        private final int lead;

        /** @param type on the backend under test; a float64 reference holds floating numbers of any type in float64 */
        private Both(DType type, int length) {
            boolean floating = type.isFloating();
            // Lengths that are multiples of 4 start aligned and others do not, so both kinds of address occur.
            lead = length % 4 == 0 ? GUARD : 3;
            guarded = testedScope.allocate(type, lead + length + GUARD);
            tested.memory().fill(guarded, floating ? Double.NaN : GUARD_INTEGER);
            onTested = guarded.slice(lead, length);
            boolean wide = floating && reference.memory().floatType() == DType.F64;
            onReference = referenceScope.allocate(wide ? DType.F64 : type, length);
        }

        /** The array on one of the backends. */
        public DeviceArray on(Backend backend) {
            return backend == tested ? onTested : onReference;
        }

        /**
         * Requires every error to be at most {@code roundings} times the bound that {@link #runWithBounds} has found.
         *
         * @param unit of rounding
         */
        public void isWithinBounds(double roundings, double unit, String what) {
            isWithin(limits(roundings * unit / unit()), what);
        }

        /** The bounds that {@link #runWithBounds} has found, times a factor, in units of rounding. */
        double[] limits(double factor) {
            return Arrays.stream(((ReferenceBackend) reference).errors(onReference))
                    .map(x -> factor * x)
                    .toArray();
        }

        /** Requires the two arrays on the backend under test to differ by no more than both may be off. */
        public void isLike(Both other, double roundings, double unit, String what) {
            double[] ours = actual();
            double[] theirs = other.actual();
            double[] limits = limits(2 * roundings * unit);
            for (int i = 0; i < ours.length; i++) {
                boolean same = Double.compare(ours[i], theirs[i]) == 0;
                if (!same && !(Math.abs(ours[i] - theirs[i]) <= limits[i] + tiny())) {
                    throw new WrongResultException("%s: element %d of %d is %s and %s, which differ by more than %s"
                            .formatted(what, i, ours.length, ours[i], theirs[i], limits[i]));
                }
            }
        }

        /** Replaces the numbers on both, rounded as {@link Pair#floats} does. */
        public void upload(double[] values) {
            double[] rounded = rounded(onTested.dtype(), values);
            tested.memory().upload(rounded, 0, onTested);
            reference.memory().upload(rounded, 0, onReference);
        }

        /** Numbers of the reference. */
        public double[] expected() {
            double[] values = new double[(int) onReference.length()];
            reference.memory().download(onReference, values, 0);
            return values;
        }

        /** Numbers of the backend under test. */
        public double[] actual() {
            double[] all = new double[(int) guarded.length()];
            tested.memory().download(guarded, all, 0);
            int end = lead + (int) onTested.length();
            for (int i = 0; i < all.length; i++) {
                if ((i < lead || i >= end) && !Double.isNaN(all[i])) {
                    throw new WrongResultException(
                            "wrote outside the array, at index " + (i - lead) + " of " + onTested.length());
                }
            }
            return Arrays.copyOfRange(all, lead, end);
        }

        /** Numbers of the reference. */
        public int[] expectedIntegers() {
            int[] values = new int[(int) onReference.length()];
            reference.memory().download(onReference, values, 0);
            return values;
        }

        /** Numbers of the backend under test. */
        public int[] actualIntegers() {
            int[] all = new int[(int) guarded.length()];
            tested.memory().download(guarded, all, 0);
            int end = lead + (int) onTested.length();
            for (int i = 0; i < all.length; i++) {
                if ((i < lead || i >= end) && all[i] != GUARD_INTEGER) {
                    throw new WrongResultException(
                            "wrote outside the array, at index " + (i - lead) + " of " + onTested.length());
                }
            }
            return Arrays.copyOfRange(all, lead, end);
        }

        /** Requires every error to be at most {@code bound} units of rounding. */
        public void isWithin(double bound, String what) {
            double[] same = new double[(int) onReference.length()];
            Arrays.fill(same, bound);
            isWithin(same, what);
        }

        /**
         * Requires the error of element i to be at most {@code bounds[i]} units of rounding (2^-24 in float32), besides
         * what underflow costs. NaN must be NaN, and what is infinite in the type must be that infinity.
         */
        public void isWithin(double[] bounds, String what) {
            double[] actual = actual();
            double[] expected = expected();
            note(0, 0, 1);
            for (int i = 0; i < actual.length; i++) {
                double wanted = expected[i];
                if (onTested.dtype() != DType.F64 && Double.isInfinite((float) wanted)) {
                    wanted = wanted > 0 ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY;
                }
                boolean same = wanted == actual[i] || Double.isNaN(wanted) && Double.isNaN(actual[i]);
                double allowed = unit() * bounds[i] + tiny();
                boolean overflown = onTested.dtype() == DType.F16
                        && Double.isInfinite(actual[i])
                        && Math.signum(wanted) * actual[i] > 0
                        && Math.abs(wanted) + allowed >= F16_OVERFLOW;
                if (!same) {
                    note(Math.abs(actual[i] - wanted), Math.abs(wanted), allowed);
                }
                if (!same && !overflown && !(Math.abs(actual[i] - wanted) <= allowed)) {
                    throw new WrongResultException("%s: element %d of %d is %s, expected %s within %s"
                            .formatted(what, i, actual.length, actual[i], expected[i], allowed));
                }
            }
        }

        /** Requires every element to be the same number. */
        public void isExact(String what) {
            isWithin(0, what);
        }

        /** Requires every element to be the same number. */
        public void isSameIntegers(String what) {
            int[] actual = actualIntegers();
            int[] expected = expectedIntegers();
            for (int i = 0; i < actual.length; i++) {
                if (actual[i] != expected[i]) {
                    throw new WrongResultException("%s: element %d of %d is %d, expected %d"
                            .formatted(what, i, actual.length, actual[i], expected[i]));
                }
            }
        }
    }

    private void note(double difference, double size, double allowed) {
        error = Math.max(Double.isNaN(error) ? 0 : error, difference / (1 + size));
        share = Math.max(share, difference / allowed);
    }

    /** The largest error so far, relative to 1 and the number's size; NaN if none was looked for. */
    public double error() {
        return error;
    }

    /** The largest share of what was allowed that an error was. */
    public double share() {
        return share;
    }

    /** Roundings to allow a sum of products: those of float32, and so many of its factors where they are rounded. */
    public double ofProducts(double roundings, double ofFactors) {
        return roundings + ofFactors * factorRounding;
    }

    /**
     * Requires that something is so.
     *
     * @throws WrongResultException saying what is not so
     */
    public void require(boolean isRight, String complaint) {
        if (!isRight) {
            throw new WrongResultException(complaint);
        }
    }

    /** Requires the same numbers, bit for bit. */
    public void requireEqual(String what, double[] actual, double[] expected) {
        note(0, 0, 1);
        for (int i = 0; i < expected.length; i++) {
            require(
                    Double.compare(actual[i], expected[i]) == 0,
                    what + ": element " + i + " of " + expected.length + " is " + actual[i] + ", expected "
                            + expected[i]);
        }
    }

    /** Unit of rounding of the backend under test. */
    public double unit() {
        return tested.memory().floatType() == DType.F32 ? 0x1p-24 : 0x1p-53;
    }

    private double tiny() {
        return tested.memory().floatType() == DType.F32 ? 4 * Float.MIN_NORMAL : 4 * Double.MIN_NORMAL;
    }

    /** Numbers that both types represent. */
    public Both floats(double... values) {
        return floats(tested.memory().floatType(), values);
    }

    /** The given numbers rounded to {@code type}, which is the array's on the backend under test. */
    public Both floats(DType type, double... values) {
        Both both = new Both(type, values.length);
        both.upload(values);
        return both;
    }

    private static double[] rounded(DType type, double[] values) {
        return switch (type) {
            case BF16, F16 ->
                Arrays.stream(values)
                        .map(x -> HalfPrecision.value(type, HalfPrecision.bits(type, x)))
                        .toArray();
            case F64 -> values;
            case F32, I32 -> Arrays.stream(values).map(x -> (float) x).toArray();
        };
    }

    /** The same integers on both. */
    public Both ints(int... values) {
        Both both = new Both(DType.I32, values.length);
        tested.memory().upload(values, 0, both.onTested);
        reference.memory().upload(values, 0, both.onReference);
        return both;
    }

    /** An array to be written: NaN until then. */
    public Both output(long length) {
        return output(tested.memory().floatType(), length);
    }

    /** An array of {@code type} on the backend under test, to be written: NaN until then. */
    public Both output(DType type, long length) {
        Both both = new Both(type, Math.toIntExact(length));
        reference.memory().fill(both.onReference, Double.NaN);
        return both;
    }

    /** An array of integers to be written. */
    public Both integerOutput(int length) {
        return new Both(DType.I32, length);
    }

    /** Runs an operation on both. */
    public void run(Consumer<Backend> operation) {
        operation.accept(reference);
        operation.accept(tested);
    }

    /**
     * Runs an operation of attention on both, of which the reference, here {@link ReferenceBackend}, bounds the error of each
     * element.
     *
     * @param storage type of query, key, value and what comes of them
     * @param ofTangents whether it bounds only what comes of rounding tangents of scores
     */
    public void runWithBounds(DType storage, boolean ofTangents, Consumer<Backend> operation) {
        ((ReferenceBackend) reference)
                .boundingErrors(storage, 2 * factorRounding, ofTangents, () -> operation.accept(reference));
        operation.accept(tested);
    }

    /** Normally distributed numbers, rounded to float32. */
    public static double[] normal(int length, long seed) {
        Random random = new Random(seed);
        double[] values = new double[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** Their magnitudes. */
    public static double[] abs(double[] values) {
        return Arrays.stream(values).map(Math::abs).toArray();
    }

    /** The largest magnitude, 0 of nothing. */
    public static double largest(double[] values) {
        return Arrays.stream(values).map(Math::abs).max().orElse(0);
    }

    @Override
    public void close() {
        testedScope.close();
        referenceScope.close();
    }
}
