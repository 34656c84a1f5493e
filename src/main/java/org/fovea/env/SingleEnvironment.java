// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A batch of one, stepped by hand. */
class SingleEnvironment implements Environment {
    private final VectorEnvironment batch;
    private final StepBatch result;
    private final int[] starts;
    private boolean running;

    /** One that {@link SavesState} if the batch can. */
    static Environment of(VectorEnvironment batch) {
        return batch.canSaveState() ? new Saving(batch) : new SingleEnvironment(batch);
    }

    private SingleEnvironment(VectorEnvironment batch) {
        this.batch = batch;
        this.result = StepBatch.allocate(1, batch.observationSpace().size());
        this.starts = Schema.of(batch.actionSpace()).starts();
    }

    @Override
    public Space observationSpace() {
        return batch.observationSpace();
    }

    @Override
    public Space actionSpace() {
        return batch.actionSpace();
    }

    @Override
    public boolean masksActions() {
        return batch.masksActions();
    }

    @Override
    public boolean @Nullable [] actionMask() {
        if (!batch.masksActions()) {
            return null;
        }
        boolean[] allowed =
                new boolean[Arrays.stream(Schema.of(actionSpace()).choices()).sum()];
        batch.actionMasks(allowed);
        return allowed;
    }

    @Override
    public float[] reset(long seed) {
        float[] observation = new float[observationSpace().size()];
        batch.reset(seed, 0, observation);
        running = true;
        return observation;
    }

    @Override
    public Step step(Action action) {
        if (!running) {
            throw new IllegalStateException("step outside an episode: call reset first");
        }
        int[] choices = action.choices().clone();
        for (int part = 0; part < Math.min(choices.length, starts.length); part++) {
            choices[part] -= starts[part];
        }
        batch.step(choices, action.values(), result);
        boolean terminated = result.terminated()[0];
        boolean truncated = result.truncated()[0];
        running = !terminated && !truncated;
        float[] observation = running ? result.observations() : result.finalObservations();
        return new Step(Arrays.copyOf(observation, observation.length), result.rewards()[0], terminated, truncated);
    }

    @Override
    public void close() {
        batch.close();
    }

    private static final class Saving extends SingleEnvironment implements SavesState {
        Saving(VectorEnvironment batch) {
            super(batch);
        }

        @Override
        public void saveState(DataOutput out) throws IOException {
            out.writeBoolean(super.running);
            super.batch.saveState(0, out);
        }

        @Override
        public void restoreState(DataInput in) throws IOException {
            super.running = in.readBoolean();
            super.batch.restoreState(0, in);
        }
    }
}
