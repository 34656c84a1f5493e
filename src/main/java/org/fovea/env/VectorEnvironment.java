package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * {@code count()} environments of one kind stepped together through flat row-major arrays. An environment whose episode
 * ends is reset in the same step (same-step autoreset): {@link StepBatch#observations} then holds the first observation
 * of the next episode and {@link StepBatch#finalObservations} the last of the one that ended.
 *
 * <p>Environment i draws its randomness from {@code (seed, firstIndex + i, episode)}, so cutting 64 environments into
 * four batches of 16 changes nothing. An instance is used by one thread at a time.
 */
public interface VectorEnvironment {

    /** Number of environments. */
    int count();

    /** What each observation looks like. */
    Space observationSpace();

    /** What each action looks like. */
    Space actionSpace();

    /**
     * Starts every environment afresh.
     *
     * @param seed of the whole run
     * @param firstIndex index of environment 0 of this batch among those of the run
     * @param observations written, [count, observation size]
     */
    void reset(long seed, int firstIndex, float[] observations);

    /**
     * Acts in every environment.
     *
     * @param choices [count] for discrete actions, else ignored (may be empty)
     * @param values [count, action size] for continuous actions, unclipped, else ignored (may be empty)
     * @param result overwritten
     */
    void step(int[] choices, float[] values, StepBatch result);

    /** Whether {@link #saveState} can be called. */
    boolean canSaveState();

    /**
     * Writes everything the future depends on.
     *
     * @throws UnsupportedOperationException if {@link #canSaveState} is false
     */
    void saveState(DataOutput out) throws IOException;

    /** Restores what {@link #saveState} wrote, in place of {@link #reset}. */
    void restoreState(DataInput in) throws IOException;
}
