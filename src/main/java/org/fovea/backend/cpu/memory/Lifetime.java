// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import org.jspecify.annotations.Nullable;

/** The life of arrays: until their scope closes, they are released, or the backend closes. */
public class Lifetime {
    private final @Nullable Lifetime parent;
    // Volatile so that a scope closed by one thread is seen as closed by the shards of another.
    private volatile boolean ended;

    public Lifetime(@Nullable Lifetime parent) {
        this.parent = parent;
    }

    final boolean alive() {
        return !ended && (parent == null || parent.alive());
    }

    final void end() {
        ended = true;
    }

    /** Ends an array that may be ended on its own. */
    void release() {
        throw new IllegalStateException("this array belongs to a scope and ends with it; it can't be released");
    }
}
