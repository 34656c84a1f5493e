// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

/**
 * Constants of Adam (Kingma and Ba 2014, arXiv:1412.6980) with clipping by global norm, and of AdamW (Loshchilov and Hutter 2017,
 * arXiv:1711.05101). What changes from step to step
 * lives in a state array on the device, indexed by the constants here, so that a captured step can be replayed.
 *
 * @param maxGradNorm gradients are scaled by {@code min(1, maxGradNorm / norm)}; infinity for no clipping
 * @param weightDecay share of a decaying parameter that a step takes off, times the learning rate; 0 for Adam
 */
public record AdamSettings(float beta1, float beta2, float epsilon, float maxGradNorm, float weightDecay) {

    /** Without decay. */
    public AdamSettings(float beta1, float beta2, float epsilon, float maxGradNorm) {
        this(beta1, beta2, epsilon, maxGradNorm, 0);
    }

    /** Elements of the state array, of the backend's floating type. */
    public static final int STATE_SIZE = 4;

    /** Index of the learning rate; set by the caller. */
    public static final int LEARNING_RATE = 0;

    /** Index of the number of steps taken; advanced by each step (exact in float32 up to 16,777,216). */
    public static final int STEP = 1;

    /** Index of the norm of the last gradients before clipping; written by each step. */
    public static final int GRADIENT_NORM = 2;

    /**
     * Index of a flag: when not 0 a step changes nothing. Set to 1 by a step whose gradient norm is not finite, which
     * changes nothing else but {@link #GRADIENT_NORM}: whatever was issued behind it does no harm until the host looks. A
     * caller may set it too.
     */
    public static final int SKIP = 3;
}
