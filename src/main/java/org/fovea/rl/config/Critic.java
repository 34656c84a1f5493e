// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

/** What the value has in common with the policy. */
public enum Critic {
    /**
     * {@link #SEPARATE} for an MLP. With a memory {@link #SHARED}, or {@link #DETACHED} where updates of the value must leave the
     * policy as it is.
     */
    AUTO,
    /** A linear layer on the policy's trunk, which learns from both. */
    SHARED,
    /** Two hidden layers on the policy's trunk, which learns from the policy alone. */
    DETACHED,
    /** A network of its own, with a memory of its own. */
    SEPARATE;

    /**
     * What {@link #AUTO} stands for, and each other itself.
     *
     * @param remembers whether the policy has a memory
     * @param valueApart whether updates of the value must leave the policy as it is
     */
    public Critic resolved(boolean remembers, boolean valueApart) {
        if (this != AUTO) {
            return this;
        }
        return !remembers ? SEPARATE : valueApart ? DETACHED : SHARED;
    }
}
