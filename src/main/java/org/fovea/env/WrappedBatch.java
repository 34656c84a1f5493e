// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/** Base of batches around another: each method does what that one does. */
abstract class WrappedBatch implements VectorEnvironment {
    final VectorEnvironment inner;

    WrappedBatch(VectorEnvironment inner) {
        this.inner = inner;
    }

    @Override
    public final int count() {
        return inner.count();
    }

    @Override
    public Space observationSpace() {
        return inner.observationSpace();
    }

    @Override
    public final Space actionSpace() {
        return inner.actionSpace();
    }

    @Override
    public void reset(long seed, int firstIndex, float[] observations) {
        inner.reset(seed, firstIndex, observations);
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        inner.step(choices, values, result);
    }

    @Override
    public void restart(int i, float[] observations) {
        inner.restart(i, observations);
    }

    @Override
    public float[] reportedRewards(StepBatch last) {
        return inner.reportedRewards(last);
    }

    @Override
    public final boolean masksActions() {
        return inner.masksActions();
    }

    @Override
    public final void actionMasks(boolean[] allowed) {
        inner.actionMasks(allowed);
    }

    @Override
    public final @Nullable Drawable drawable(int i) {
        return inner.drawable(i);
    }

    @Override
    public void onEpisodeEnd(@Nullable IntConsumer listener) {
        inner.onEpisodeEnd(listener);
    }

    @Override
    public final boolean canSaveState() {
        return inner.canSaveState();
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        inner.saveState(i, out);
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        inner.restoreState(i, in);
    }

    @Override
    public final void close() {
        inner.close();
    }

    /**
     * That an action means the same in the next state.
     *
     * @throws InvalidEnvironmentException if it is a choice of entities, whose rows may then be those of others
     */
    static void requireRepeatable(Space actionSpace, Wrapper wrapper) {
        for (Schema.Leaf leaf : Schema.of(actionSpace).leaves()) {
            if (leaf.space() instanceof Space.EntityChoice choice) {
                throw new InvalidEnvironmentException("wrapper " + wrapper.text() + " does an action again, but "
                        + choice + " is a row, which may be another entity's in the next state");
            }
        }
    }

    static boolean ended(StepBatch result, int i) {
        return result.terminated()[i] || result.truncated()[i];
    }
}
