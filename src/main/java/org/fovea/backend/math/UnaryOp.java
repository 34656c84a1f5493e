// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

/** Elementwise functions of one argument. */
public enum UnaryOp {
    /** {@code -x} */
    NEGATE,
    /** {@code |x|} */
    ABS,
    /** {@code -1, 0, 1} by the sign of x */
    SIGN,
    /** {@code e^x} */
    EXP,
    /** natural logarithm */
    LOG,
    /** {@code sqrt(x)} */
    SQRT,
    /** {@code 1 / sqrt(x)} */
    RSQRT,
    /** {@code 1 / x} */
    RECIPROCAL,
    /** {@code x * x} */
    SQUARE,
    /** hyperbolic tangent */
    TANH,
    /** {@code 1 / (1 + e^-x)} */
    SIGMOID,
    /** {@code log(1 + e^x)}, without overflow */
    SOFTPLUS,
    /** {@code max(x, 0)}, NaN of NaN */
    RELU,
    /** {@code x > 0 ? 1 : 0} */
    STEP,
    /** Gaussian error linear unit, tanh form: {@code x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))} */
    GELU,
    /** sine, x in radians */
    SIN,
    /** cosine, x in radians */
    COS
}
