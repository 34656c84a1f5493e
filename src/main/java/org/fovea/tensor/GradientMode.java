// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

/** The use of a gradient: as a number, or to be differentiated itself. */
public enum GradientMode {
    /** Values only; nothing is recorded. */
    VALUE,
    /** The operations that compute the gradient are recorded, for derivatives of higher order. */
    DIFFERENTIABLE
}
