// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Elementary functions of a vector of floats: the operations of the scalar forms, in the same order. The library's own
 * EXP, LOG and TANH are not used because they differ in the last bit between interpreted and compiled code.
 */
final class VectorMath {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
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

    private VectorMath() {}

    private static FloatVector splat(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }

    static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.blend(EXP_OVERFLOW, x.compare(VectorOperators.GT, EXP_OVERFLOW));
        clamped = clamped.blend(EXP_UNDERFLOW, clamped.compare(VectorOperators.LT, EXP_UNDERFLOW));
        FloatVector rounded = clamped.fma(splat(LOG2_E), splat(ROUNDER));
        FloatVector r = remainder(clamped, rounded.sub(ROUNDER));
        FloatVector mantissa = expMinusOne(r).add(1f);
        IntVector power = rounded.reinterpretAsInts().sub(ROUNDER_BITS);
        IntVector half = power.lanewise(VectorOperators.ASHR, 1);
        return mantissa.mul(powerOfTwo(half)).mul(powerOfTwo(power.sub(half)));
    }

    private static FloatVector remainder(FloatVector x, FloatVector power) {
        return power.fma(splat(-LN2_LOW), power.fma(splat(-LN2_HIGH), x));
    }

    private static FloatVector expMinusOne(FloatVector r) {
        FloatVector p = splat(1.9875691500e-4f);
        p = p.fma(r, splat(1.3981999507e-3f));
        p = p.fma(r, splat(8.3334519073e-3f));
        p = p.fma(r, splat(4.1665795894e-2f));
        p = p.fma(r, splat(1.6666665459e-1f));
        p = p.fma(r, splat(5.0000001201e-1f));
        return p.fma(r.mul(r), r);
    }

    private static FloatVector powerOfTwo(IntVector power) {
        return power.add(EXPONENT_BIAS)
                .lanewise(VectorOperators.LSHL, MANTISSA_BITS)
                .reinterpretAsFloats();
    }

    /**
     * Logarithm of positive numbers. It and {@link #logAtEdges} are apart because the compiler inlines only small methods,
     * and a vector that passes through a call is allocated.
     */
    static FloatVector logOfPositive(FloatVector x) {
        FloatVector scaled = x.blend(x.mul(0x1p23f), x.compare(VectorOperators.LT, Float.MIN_NORMAL));
        IntVector bits = scaled.reinterpretAsInts();
        IntVector exponent = bits.sub(SQRT_HALF_BITS).lanewise(VectorOperators.ASHR, MANTISSA_BITS);
        FloatVector f = bits.sub(exponent.lanewise(VectorOperators.LSHL, MANTISSA_BITS))
                .reinterpretAsFloats()
                .sub(1f);
        FloatVector e = exponent.add(ROUNDER_BITS).reinterpretAsFloats().sub(ROUNDER);
        e = e.blend(e.sub(23f), x.compare(VectorOperators.LT, Float.MIN_NORMAL));
        return logOfMantissa(f, e);
    }

    /** The logarithm, given what {@link #logOfPositive} makes of x: right also for 0, infinity, NaN and negative x. */
    static FloatVector logAtEdges(FloatVector x, FloatVector ofPositive) {
        FloatVector result = x.blend(ofPositive, x.compare(VectorOperators.LT, Float.POSITIVE_INFINITY));
        result = result.blend(Float.NaN, x.compare(VectorOperators.LT, 0f));
        return result.blend(Float.NEGATIVE_INFINITY, x.compare(VectorOperators.EQ, 0f));
    }

    /** {@code log(1 + f) + e log(2)} */
    private static FloatVector logOfMantissa(FloatVector f, FloatVector e) {
        FloatVector z = f.mul(f);
        FloatVector p = splat(7.0376836292e-2f);
        p = p.fma(f, splat(-1.1514610310e-1f));
        p = p.fma(f, splat(1.1676998740e-1f));
        p = p.fma(f, splat(-1.2420140846e-1f));
        p = p.fma(f, splat(1.4249322787e-1f));
        p = p.fma(f, splat(-1.6668057665e-1f));
        p = p.fma(f, splat(2.0000714765e-1f));
        p = p.fma(f, splat(-2.4999993993e-1f));
        p = p.fma(f, splat(3.3333331174e-1f));
        FloatVector y = p.mul(f).mul(z);
        y = e.fma(splat(LN2_LOW), y);
        y = splat(-0.5f).fma(z, y);
        return e.fma(splat(LN2_HIGH), f.add(y));
    }

    static FloatVector tanh(FloatVector x) {
        FloatVector clamped = x.blend(TANH_ONE, x.compare(VectorOperators.GT, TANH_ONE));
        clamped = clamped.blend(-TANH_ONE, clamped.compare(VectorOperators.LT, -TANH_ONE));
        FloatVector rounded = clamped.fma(splat(2 * LOG2_E), splat(ROUNDER));
        FloatVector h = rounded.sub(ROUNDER).fma(splat(-HALF_LN2), clamped);
        FloatVector scale = rounded.reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, MANTISSA_BITS)
                .add(ONE_BITS)
                .reinterpretAsFloats();
        FloatVector square = h.mul(h);
        FloatVector t = square.fma(splat(TANH_5), splat(TANH_3)).mul(square).fma(h, h);
        FloatVector difference = scale.sub(1f);
        FloatVector sum = scale.add(1f);
        return t.fma(sum, difference).div(t.fma(difference, sum));
    }

    static FloatVector sigmoid(FloatVector x) {
        FloatVector e = exp(x.abs().neg());
        return e.blend(1f, x.compare(VectorOperators.GE, 0f)).div(e.add(1f));
    }

    static FloatVector gelu(FloatVector x) {
        return x.mul(sigmoid(geluInner(x).mul(2f)));
    }

    static FloatVector geluDerivative(FloatVector x) {
        FloatVector s = sigmoid(geluInner(x).mul(2f));
        FloatVector slope = x.mul(3f * GELU_CUBIC).fma(x, splat(1f)).mul(GELU_SCALE);
        return x.mul(2f).mul(slope).fma(s.mul(splat(1f).sub(s)), s);
    }

    private static FloatVector geluInner(FloatVector x) {
        return x.mul(GELU_SCALE).mul(x.mul(GELU_CUBIC).fma(x, splat(1f)));
    }
}
