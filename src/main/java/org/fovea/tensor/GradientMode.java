package org.fovea.tensor;

/** Whether a gradient will itself be differentiated. */
public enum GradientMode {
    /** Values only; nothing is recorded. */
    VALUE,
    /** The operations that compute the gradient are recorded, for derivatives of higher order. */
    DIFFERENTIABLE
}
