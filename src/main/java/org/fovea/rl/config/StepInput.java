// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

/** Whether a policy is shown something beside the observation of a step. */
public enum StepInput {
    /** As suits the kind of policy. */
    AUTO,
    /** It is part of the input. */
    SHOWN,
    /** It is not. */
    HIDDEN;

    /** Whether it is shown to a policy for which that is so by default, or not. */
    public boolean isShown(boolean byDefault) {
        return this == AUTO ? byDefault : this == SHOWN;
    }
}
