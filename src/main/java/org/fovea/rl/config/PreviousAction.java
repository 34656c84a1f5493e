// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

/** Whether a policy is shown the action of the step before. */
public enum PreviousAction {
    /** {@link #SHOWN} to a policy with a memory. */
    AUTO,
    /** It is part of the input. A policy may write notes to itself through it. */
    SHOWN,
    /** It is not. */
    HIDDEN;

    /** Whether it is shown to a policy that has a memory or not. */
    public boolean isShown(boolean remembers) {
        return this == AUTO ? remembers : this == SHOWN;
    }
}
