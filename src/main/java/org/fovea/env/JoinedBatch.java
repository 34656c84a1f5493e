// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/** Batches of one environment each as one batch. */
final class JoinedBatch implements VectorEnvironment {
    private final VectorEnvironment[] parts;
    private final int size;
    private final int choices;
    private final int values;
    private final int choiceCount;
    private final StepBatch result;
    private final int[] choice;
    private final float[] value;
    private final boolean[] allowed;
    private final float[] reported;

    JoinedBatch(List<VectorEnvironment> parts) {
        this.parts = parts.toArray(VectorEnvironment[]::new);
        VectorEnvironment any = this.parts[0];
        size = any.observationSpace().size();
        choices = Schema.of(any.actionSpace()).choices().length;
        values = choices == 0 ? any.actionSpace().size() : 0;
        result = StepBatch.allocate(1, size);
        choice = new int[choices];
        value = new float[values];
        allowed = any.newActionMasks();
        choiceCount = allowed.length;
        reported = new float[this.parts.length];
    }

    @Override
    public int count() {
        return parts.length;
    }

    @Override
    public Space observationSpace() {
        return parts[0].observationSpace();
    }

    @Override
    public Space actionSpace() {
        return parts[0].actionSpace();
    }

    @Override
    public void reset(long seed, int firstIndex, float[] observations) {
        for (int i = 0; i < parts.length; i++) {
            parts[i].reset(seed, firstIndex + i, result.observations());
            System.arraycopy(result.observations(), 0, observations, i * size, size);
        }
    }

    @Override
    public void restart(int i, float[] observations) {
        parts[i].restart(0, result.observations());
        System.arraycopy(result.observations(), 0, observations, i * size, size);
    }

    @Override
    public void step(int[] allChoices, float[] allValues, StepBatch all) {
        for (int i = 0; i < parts.length; i++) {
            System.arraycopy(allChoices, i * choices, choice, 0, choices);
            System.arraycopy(allValues, i * values, value, 0, values);
            parts[i].step(choice, value, result);
            System.arraycopy(result.observations(), 0, all.observations(), i * size, size);
            all.rewards()[i] = result.rewards()[0];
            all.terminated()[i] = result.terminated()[0];
            all.truncated()[i] = result.truncated()[0];
            if (WrappedBatch.ended(result, 0)) {
                System.arraycopy(result.finalObservations(), 0, all.finalObservations(), i * size, size);
            }
            reported[i] = parts[i].reportedRewards(result)[0];
        }
    }

    @Override
    public float[] reportedRewards(StepBatch last) {
        return reported;
    }

    @Override
    public boolean masksActions() {
        return parts[0].masksActions();
    }

    @Override
    public void actionMasks(boolean[] all) {
        for (int i = 0; i < parts.length; i++) {
            parts[i].actionMasks(allowed);
            System.arraycopy(allowed, 0, all, i * choiceCount, choiceCount);
        }
    }

    @Override
    public boolean canSaveState() {
        boolean can = true;
        for (VectorEnvironment part : parts) {
            can &= part.canSaveState();
        }
        return can;
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        parts[i].saveState(0, out);
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        parts[i].restoreState(0, in);
    }

    @Override
    public void close() {
        RuntimeException failure = null;
        for (VectorEnvironment part : parts) {
            try {
                part.close();
            } catch (RuntimeException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
