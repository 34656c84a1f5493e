// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

/** A number that must be finite is not; training stops before anything is written. */
public final class NonFiniteException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * @param name of the tensor
     * @param value NaN or an infinity
     * @param step of the run in which it appeared
     */
    NonFiniteException(String name, double value, long step) {
        super(name + " is " + value + " at step " + step
                + "; training stopped. Try a smaller learning_rate or max_grad_norm, or check the environment");
    }

    /** Throws one if {@code value} is not finite. */
    public static void check(String name, double value, long step) {
        if (!Double.isFinite(value)) {
            throw new NonFiniteException(name, value, step);
        }
    }
}
