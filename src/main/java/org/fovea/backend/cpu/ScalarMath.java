package org.fovea.backend.cpu;

/** Elementary functions of one float. */
final class ScalarMath {
    private ScalarMath() {}

    /** {@code e^x} */
    static float exp(float x) {
        return (float) Math.exp(x);
    }

    /** natural logarithm */
    static float log(float x) {
        return (float) Math.log(x);
    }

    /** hyperbolic tangent */
    static float tanh(float x) {
        return (float) Math.tanh(x);
    }

    /** {@code 1 / (1 + e^-x)} */
    static float sigmoid(float x) {
        float e = exp(-Math.abs(x));
        return (x >= 0 ? 1f : e) / (1f + e);
    }

    /** {@code log(1 + e^x)} */
    static float softplus(float x) {
        return Math.max(x, 0f) + (float) Math.log1p(exp(-Math.abs(x)));
    }

    /** Gaussian error linear unit, tanh form, as {@code x sigmoid(2 u)}. */
    static float gelu(float x) {
        return x * sigmoid(2 * geluInner(x));
    }

    /** Derivative of {@link #gelu}. */
    static float geluDerivative(float x) {
        float s = sigmoid(2 * geluInner(x));
        float innerDerivative = GELU_SCALE * Math.fma(3 * GELU_CUBIC * x, x, 1f);
        return Math.fma(2 * x * innerDerivative, s * (1 - s), s);
    }

    private static final float GELU_SCALE = 0.7978845608f;
    private static final float GELU_CUBIC = 0.044715f;

    private static float geluInner(float x) {
        return GELU_SCALE * x * Math.fma(GELU_CUBIC * x, x, 1f);
    }
}
