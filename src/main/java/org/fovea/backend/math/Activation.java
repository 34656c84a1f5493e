// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.jspecify.annotations.Nullable;

/** Functions that can be fused into {@link MathOps#linear}; each one's gradient follows from its output alone. */
public enum Activation {
    /** identity */
    NONE(null, null),
    /** hyperbolic tangent */
    TANH(UnaryOp.TANH, BinaryOp.TANH_GRADIENT),
    /** {@code max(x, 0)} */
    RELU(UnaryOp.RELU, BinaryOp.RELU_GRADIENT),
    /** {@code 1 / (1 + e^-x)} */
    SIGMOID(UnaryOp.SIGMOID, BinaryOp.SIGMOID_GRADIENT);

    private final @Nullable UnaryOp function;
    private final @Nullable BinaryOp gradient;

    Activation(@Nullable UnaryOp function, @Nullable BinaryOp gradient) {
        this.function = function;
        this.gradient = gradient;
    }

    /** The operation that applies it, or null for the identity. */
    public @Nullable UnaryOp function() {
        return function;
    }

    /** The gradient from its output and the incoming gradient, or null for the identity. */
    public @Nullable BinaryOp gradient() {
        return gradient;
    }
}
