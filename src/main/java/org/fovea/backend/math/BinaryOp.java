// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

/** Elementwise functions of two arguments {@code a, b}. Comparisons give 1 or 0. */
public enum BinaryOp {
    /** {@code a + b} */
    ADD,
    /** {@code a - b} */
    SUBTRACT,
    /** {@code a * b} */
    MULTIPLY,
    /** {@code a / b} */
    DIVIDE,
    /** the smaller, NaN if either is NaN */
    MIN,
    /** the larger, NaN if either is NaN */
    MAX,
    /** {@code a < b ? 1 : 0} */
    LESS,
    /** {@code a <= b ? 1 : 0} */
    LESS_EQUAL,
    /** {@code a == b ? 1 : 0} */
    EQUAL,
    /** Gradient of tanh from its output: {@code (1 - a^2) b}, a the output, b the incoming gradient */
    TANH_GRADIENT,
    /** Gradient of the sigmoid from its output: {@code a (1 - a) b} */
    SIGMOID_GRADIENT,
    /** Gradient of relu from its output: {@code a > 0 ? b : 0} */
    RELU_GRADIENT,
    /** Gradient of {@link UnaryOp#GELU} from its input a, times b */
    GELU_GRADIENT
}
