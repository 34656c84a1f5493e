// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

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

    /**
     * Releases what the environment holds, such as a window or a connection. Called once, when it will not be played any
     * more: also after an error, and where the run is interrupted.
     */
    @Override
    default void close() {}
}
