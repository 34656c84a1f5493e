package org.fovea.backend.math;

/** Functions that can be fused into {@link MathOps#linear}; each one's gradient follows from its output alone. */
public enum Activation {
    /** identity */
    NONE,
    /** hyperbolic tangent */
    TANH,
    /** {@code max(x, 0)} */
    RELU,
    /** {@code 1 / (1 + e^-x)} */
    SIGMOID
}
