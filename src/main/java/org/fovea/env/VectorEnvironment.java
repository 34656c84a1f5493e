// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * {@code count()} environments of one kind stepped together through flat row-major arrays. An environment whose episode
 * ends is reset in the same step (same-step autoreset): {@link StepBatch#observations} then holds the first observation
 * of the next episode and {@link StepBatch#finalObservations} the last of the one that ended.
 *
 * <p>Environment i draws its randomness from {@code (seed, firstIndex + i, episode)}, so cutting 64 environments into
 * four batches of 16 changes nothing. An instance is used by one thread at a time.
 */
public interface VectorEnvironment extends AutoCloseable {

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
     * @param choices [count, choices of an action] for discrete actions, from 0 whatever {@link Space.Discrete#start} is, else
     *     ignored (may be empty)
     * @param values [count, action size] for continuous actions, an agent's within the bounds of the action space, else
     *     ignored (may be empty)
     * @param result overwritten
     */
    void step(int[] choices, float[] values, StepBatch result);

    /**
     * Rewards of the last step of which returns are reported, [count]: those of the environment itself where a {@link Wrapper}
     * changes what is learned from.
     *
     * @param last outcome of the step
     */
    default float[] reportedRewards(StepBatch last) {
        return last.rewards();
    }

    /**
     * Gives up the episode of environment {@code i} where it stands and starts the next.
     *
     * @param observations row i is written, [count, observation size]
     */
    void restart(int i, float[] observations);

    /** Whether some choices are forbidden in some states. */
    default boolean masksActions() {
        return false;
    }

    /**
     * Which choices are allowed in the states that were observed last. Called where {@link #masksActions}.
     *
     * @param allowed written, [count, sum of the numbers of choices]
     */
    default void actionMasks(boolean[] allowed) {
        Arrays.fill(allowed, true);
    }

    /** An array for {@link #actionMasks}, empty where nothing is forbidden. */
    default boolean[] newActionMasks() {
        int choices = Arrays.stream(Schema.of(actionSpace()).choices()).sum();
        return new boolean[masksActions() ? count() * choices : 0];
    }

    /** Whether {@link #saveState} can be called. */
    boolean canSaveState();

    /**
     * Writes everything that the future of environment {@code i} depends on, seed and index in the run included: what
     * is written does not depend on how the environments of the run are cut into batches.
     *
     * @throws UnsupportedOperationException if {@link #canSaveState} is false
     */
    void saveState(int i, DataOutput out) throws IOException;

    /**
     * Makes environment {@code i} what {@link #saveState} wrote. Once done for each of the batch it replaces
     * {@link #reset}.
     */
    void restoreState(int i, DataInput in) throws IOException;

    /** What shows environment {@code i} as it is whenever it is asked; null if it can't be looked at. */
    default @Nullable Drawable drawable(int i) {
        return null;
    }

    /**
     * Lets someone look at environments whose episode has ended before they are reset.
     *
     * @param listener given the number of the environment, within {@link #step}; null for none any more
     */
    default void onEpisodeEnd(@Nullable IntConsumer listener) {}

    /** Releases what the environments hold. Called once, when they will not be played any more. */
    @Override
    default void close() {}
}
