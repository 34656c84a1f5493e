// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.jspecify.annotations.Nullable;

/** Functions that can be fused into {@link MathOps#linear}; each one's gradient follows from its output alone. */
public enum Activation {
    /** identity */
    NONE(null),
    /** hyperbolic tangent */
    TANH(UnaryOp.TANH),
    /** {@code max(x, 0)} */
    RELU(UnaryOp.RELU),
    /** {@code 1 / (1 + e^-x)} */
    SIGMOID(UnaryOp.SIGMOID);

    private final @Nullable UnaryOp function;

    Activation(@Nullable UnaryOp function) {
        this.function = function;
    }

    /** The operation that applies it, or null for the identity. */
    public @Nullable UnaryOp function() {
        return function;
    }
}
