// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/**
 * Conversion of {@link DType#BF16} and {@link DType#F16}, to nearest, ties to even. What is too large becomes infinite. The
 * bits of an element are carried in a short.
 */
public final class HalfPrecision {
    private static final int F16_INFINITY = 0x7C00;
    private static final int F16_NAN = 0x7E00;
    private static final int BF16_NAN = 0x7FC0;

    private HalfPrecision() {}

    /** The bits of {@code x} in the given 16-bit type. */
    public static short bits(DType type, float x) {
        return (short) (requireHalf(type) == DType.BF16 ? bf16(x) : f16(x));
    }

    /** The bits of {@code x} in the given 16-bit type, rounded once. */
    public static short bits(DType type, double x) {
        return bits(type, roundToOdd(x));
    }

    /** The number that {@code bits} stand for in the given 16-bit type. */
    public static float value(DType type, short bits) {
        if (requireHalf(type) == DType.BF16) {
            return Float.intBitsToFloat(bits << 16);
        }
        int magnitude = bits & 0x7FFF;
        // Shifted into place the exponent is 112 too small, also where it is that of a subnormal.
        float x = magnitude < F16_INFINITY
                ? Float.intBitsToFloat(magnitude << 13) * 0x1p112f
                : Float.intBitsToFloat(0x7F800000 | magnitude << 13);
        return Float.intBitsToFloat(Float.floatToRawIntBits(x) | (bits & 0x8000) << 16);
    }

    /** The numbers of {@code count} elements of {@code bits} from {@code from} on. */
    public static void widen(DType type, short[] bits, int from, float[] target, int to, int count) {
        if (requireHalf(type) == DType.BF16) {
            for (int i = 0; i < count; i++) {
                target[to + i] = Float.intBitsToFloat(bits[from + i] << 16);
            }
        } else {
            for (int i = 0; i < count; i++) {
                target[to + i] = value(DType.F16, bits[from + i]);
            }
        }
    }

    /** The bits of {@code count} elements of {@code source} from {@code from} on. */
    public static void round(DType type, float[] source, int from, short[] target, int to, int count) {
        if (requireHalf(type) == DType.BF16) {
            for (int i = 0; i < count; i++) {
                target[to + i] = (short) bf16(source[from + i]);
            }
        } else {
            for (int i = 0; i < count; i++) {
                target[to + i] = (short) f16(source[from + i]);
            }
        }
    }

    private static int bf16(float x) {
        int bits = Float.floatToRawIntBits(x);
        return Float.isNaN(x) ? BF16_NAN : bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
    }

    private static int f16(float x) {
        int bits = Float.floatToRawIntBits(x);
        int sign = bits >>> 16 & 0x8000;
        int magnitude = bits & 0x7FFFFFFF;
        if (Float.isNaN(x)) {
            return sign | F16_NAN;
        }
        if (Math.abs(x) < 0x1p-14f) { // subnormal: a multiple of 2^-24
            return sign | (int) Math.rint(Math.abs(x) * 0x1p24f);
        }
        int rounded = (magnitude + 0xFFF + (magnitude >>> 13 & 1) >>> 13) - (112 << 10);
        return sign | Math.min(rounded, F16_INFINITY);
    }

    /** A float between whose neighbours {@code x} lies, odd if it is not exact, so that rounding it again is as rounding x. */
    private static float roundToOdd(double x) {
        float nearest = (float) x;
        if (nearest == x || Double.isNaN(x)) {
            return nearest;
        }
        int bits = Float.floatToRawIntBits(nearest);
        int towardsZero = Math.abs((double) nearest) > Math.abs(x) ? bits - 1 : bits;
        return Float.intBitsToFloat(towardsZero | 1);
    }

    private static DType requireHalf(DType type) {
        if (!type.isHalf()) {
            throw new IllegalArgumentException(type + " is not a 16-bit floating type");
        }
        return type;
    }
}
