// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

/**
 * Numbers of the Philox streams a run draws from under its seed. What is drawn depends on where in the run it is drawn,
 * not on what was drawn before: a resumed run needs no generator state but its step.
 */
public final class RandomStreams {
    /** By how much {@link #actions} of a step differs from that of the step before. */
    public static final int EACH_STEP = 2;

    private RandomStreams() {}

    /** For the actions of one step of all environments; number i belongs to environment i. */
    public static long actions(long step) {
        return step * EACH_STEP;
    }

    /** For the order of units in one epoch. */
    public static long shuffle(long epoch) {
        return epoch * EACH_STEP + 1;
    }
}
