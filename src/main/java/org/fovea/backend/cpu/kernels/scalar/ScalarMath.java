// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.scalar;

/**
 * Elementary functions of one float, to about 2 units in the last place over the whole range. The vector kernels make the
 * same operations in the same order, so an element's bits do not depend on where in an array it stands. Polynomials after
 * Cephes (Moshier 1992).
 */
public final class ScalarMath {
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;

    /** Adding this rounds a float below 2^22 to an integer, which then stands in the low bits. */
    private static final float ROUNDER = 0x1.8p23f;

    private static final int ROUNDER_BITS = 0x4B400000;
    private static final float EXP_OVERFLOW = 89f;
    private static final float EXP_UNDERFLOW = -104f;
    private static final float TANH_ONE = 10f;
    private static final int EXPONENT_BIAS = 127;
    private static final int MANTISSA_BITS = 23;
    private static final float HALF_LN2 = 0.34657359f;
    private static final float TANH_3 = -0.33331108f;
    private static final float TANH_5 = 0.13101976f;
    private static final int ONE_BITS = 0x3F800000;
    private static final int SQRT_HALF_BITS = 0x3F3504F3;
    private static final float GELU_SCALE = 0.7978845608f;
    private static final float GELU_CUBIC = 0.044715f;

    private ScalarMath() {}

    /** {@code e^x} */
    public static float exp(float x) {
        float clamped = x > EXP_OVERFLOW ? EXP_OVERFLOW : x;
        clamped = clamped < EXP_UNDERFLOW ? EXP_UNDERFLOW : clamped;
        float rounded = Math.fma(clamped, LOG2_E, ROUNDER);
        float r = remainder(clamped, rounded - ROUNDER);
        float mantissa = expMinusOne(r) + 1f;
        // In two factors, since the power may be beyond the largest or below the smallest normal number.
        int power = Float.floatToRawIntBits(rounded) - ROUNDER_BITS;
        int half = power >> 1;
        return mantissa * powerOfTwo(half) * powerOfTwo(power - half);
    }

    private static float remainder(float x, float power) {
        return Math.fma(power, -LN2_LOW, Math.fma(power, -LN2_HIGH, x));
    }

    /** {@code e^r - 1} for |r| up to ln(2)/2 */
    private static float expMinusOne(float r) {
        float p = 1.9875691500e-4f;
        p = Math.fma(p, r, 1.3981999507e-3f);
        p = Math.fma(p, r, 8.3334519073e-3f);
        p = Math.fma(p, r, 4.1665795894e-2f);
        p = Math.fma(p, r, 1.6666665459e-1f);
        p = Math.fma(p, r, 5.0000001201e-1f);
        return Math.fma(p, r * r, r);
    }

    private static float powerOfTwo(int power) {
        return Float.intBitsToFloat((power + EXPONENT_BIAS) << MANTISSA_BITS);
    }

    /** natural logarithm */
    static float log(float x) {
        boolean tiny = x < Float.MIN_NORMAL;
        int bits = Float.floatToRawIntBits(tiny ? x * 0x1p23f : x);
        int exponent = (bits - SQRT_HALF_BITS) >> MANTISSA_BITS;
        float f = Float.intBitsToFloat(bits - (exponent << MANTISSA_BITS)) - 1f;
        float e = (float) exponent - (tiny ? 23f : 0f);
        float z = f * f;
        float p = 7.0376836292e-2f;
        p = Math.fma(p, f, -1.1514610310e-1f);
        p = Math.fma(p, f, 1.1676998740e-1f);
        p = Math.fma(p, f, -1.2420140846e-1f);
        p = Math.fma(p, f, 1.4249322787e-1f);
        p = Math.fma(p, f, -1.6668057665e-1f);
        p = Math.fma(p, f, 2.0000714765e-1f);
        p = Math.fma(p, f, -2.4999993993e-1f);
        p = Math.fma(p, f, 3.3333331174e-1f);
        float y = p * f * z;
        y = Math.fma(e, LN2_LOW, y);
        y = Math.fma(-0.5f, z, y);
        float result = Math.fma(e, LN2_HIGH, f + y);
        result = x < Float.POSITIVE_INFINITY ? result : x;
        result = x < 0 ? Float.NaN : result;
        return x == 0 ? Float.NEGATIVE_INFINITY : result;
    }

    /**
     * hyperbolic tangent: with {@code e^(2x) = s e^(2h)}, s a power of two, and {@code t = tanh(h)},
     *
     * <pre>
     *   tanh(x) = ((s - 1) + t (s + 1)) / ((s + 1) + t (s - 1))
     * </pre>
     *
     * |h| is at most ln(2)/4, where t is an odd polynomial of degree 5, to 6e-8 (minimax).
     */
    static float tanh(float x) {
        float clamped = x > TANH_ONE ? TANH_ONE : x;
        clamped = clamped < -TANH_ONE ? -TANH_ONE : clamped;
        float rounded = Math.fma(clamped, 2 * LOG2_E, ROUNDER);
        float h = Math.fma(rounded - ROUNDER, -HALF_LN2, clamped);
        // The power is in the low bits, and the others are shifted out.
        float scale = Float.intBitsToFloat((Float.floatToRawIntBits(rounded) << MANTISSA_BITS) + ONE_BITS);
        float square = h * h;
        float t = Math.fma(Math.fma(square, TANH_5, TANH_3) * square, h, h);
        float difference = scale - 1f;
        float sum = scale + 1f;
        return Math.fma(t, sum, difference) / Math.fma(t, difference, sum);
    }

    /** {@code 1 / (1 + e^-x)} */
    static float sigmoid(float x) {
        float e = exp(-Math.abs(x));
        return (x >= 0 ? 1f : e) / (1f + e);
    }

    /** {@code log(1 + e^x)} */
    static float softplus(float x) {
        float e = exp(-Math.abs(x));
        float sum = 1f + e;
        // The logarithm of the rounded sum, corrected for what rounding lost.
        float log = log(sum) + (e - (sum - 1f)) / sum;
        return Math.max(x, 0f) + log;
    }

    /** Gaussian error linear unit, tanh form, as {@code x sigmoid(2 u)}. */
    static float gelu(float x) {
        return x * sigmoid(2f * geluInner(x));
    }

    /** Derivative of {@link #gelu}. */
    static float geluDerivative(float x) {
        float s = sigmoid(2f * geluInner(x));
        float slope = GELU_SCALE * Math.fma(3f * GELU_CUBIC * x, x, 1f);
        return Math.fma(2f * x * slope, s * (1f - s), s);
    }

    private static float geluInner(float x) {
        return GELU_SCALE * x * Math.fma(GELU_CUBIC * x, x, 1f);
    }
}
