// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import org.jspecify.annotations.Nullable;

/**
 * A task for one agent: what a user implements. The same seed and actions must give the same episode.
 *
 * <p>An environment that also implements {@link SavesState} can be resumed exactly.
 *
 * <p>Whatever its methods throw ends the run, and the message names environment, episode and step.
 */
public interface Environment extends AutoCloseable {

    /** What observations look like. */
    Space observationSpace();

    /** What actions look like. */
    Space actionSpace();

    /** Starts an episode whose randomness follows from {@code seed}; returns its first observation. */
    float[] reset(long seed);

    /** Acts. Not called after a step that ended the episode until the next reset. */
    Step step(Action action);

    /** Whether some choices are forbidden in some states: then {@link #actionMask} or {@link Step#withMask} say which. */
    default boolean masksActions() {
        return false;
    }

    /**
     * Which choices are allowed in the present state, those of each discrete part of the action space behind those of the one
     * before; null if all are. Asked after {@link #reset} and after a {@link #step} that came without a mask. Of each part one
     * choice at least must be allowed.
     */
    default boolean @Nullable [] actionMask() {
        return null;
    }

    /**
     * Releases what the environment holds, such as a window or a connection. Called once, when it will not be played any
     * more: also after an error, and where the run is interrupted.
     */
    @Override
    default void close() {}
}
