// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/**
 * A user's environments as a batch: seeds, autoreset, and a check of everything they return, so that a mistake in one is
 * reported where it was made.
 */
final class EnvironmentBatch implements VectorEnvironment {
    private final String name;
    private final Environment[] environments;
    private final Space observationSpace;
    private final Space actionSpace;
    private final int observationSize;
    private final int actionSize;
    private final long[] episode;
    private final long[] elapsed;
    private long seed;
    private int firstIndex;
    private boolean started;

    private boolean closed;

    /**
     * @param name of the environment, for messages
     * @param environments which this batch closes
     */
    EnvironmentBatch(String name, List<Environment> environments, EnvironmentSpec.Spaces spaces) {
        this.name = name;
        this.environments = environments.toArray(Environment[]::new);
        int count = this.environments.length;
        observationSpace = spaces.observations();
        actionSpace = spaces.actions();
        observationSize = observationSpace.size();
        actionSize = actionSpace.size();
        episode = new long[count];
        elapsed = new long[count];
    }

    @Override
    public int count() {
        return environments.length;
    }

    @Override
    public Space observationSpace() {
        return observationSpace;
    }

    @Override
    public Space actionSpace() {
        return actionSpace;
    }

    @Override
    public void reset(long seed, int firstIndex, float[] observations) {
        this.seed = seed;
        this.firstIndex = firstIndex;
        started = true;
        Arrays.fill(episode, 0);
        for (int i = 0; i < environments.length; i++) {
            startEpisode(i, observations);
        }
    }

    private void startEpisode(int i, float[] observations) {
        elapsed[i] = 0;
        float[] first;
        try {
            first = environments[i].reset(SplitMix64.episodeSeed(seed, firstIndex + i, episode[i]));
        } catch (Throwable thrown) {
            throw failed(i, "reset", thrown);
        }
        write(i, first, observations);
    }

    @Override
    public void restart(int i, float[] observations) {
        episode[i]++;
        startEpisode(i, observations);
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        if (!started) {
            throw new IllegalStateException("step before reset: call reset or restoreState first");
        }
        StepChecks.check(this, firstIndex, choices, values, result);
        for (int i = 0; i < environments.length; i++) {
            Step step = stepOne(i, action(i, choices, values));
            elapsed[i]++;
            if (!Float.isFinite(step.reward())) {
                throw new EnvironmentException(where(i) + ": the reward is " + step.reward());
            }
            result.rewards()[i] = step.reward();
            result.terminated()[i] = step.terminated();
            result.truncated()[i] = step.truncated() && !step.terminated();
            if (step.terminated() || step.truncated()) {
                write(i, step.observation(), result.finalObservations());
                episode[i]++;
                startEpisode(i, result.observations());
            } else {
                write(i, step.observation(), result.observations());
            }
        }
    }

    private Action action(int i, int[] choices, float[] values) {
        return actionSpace instanceof Space.Discrete
                ? Action.of(choices[i])
                : Action.of(Arrays.copyOfRange(values, i * actionSize, (i + 1) * actionSize));
    }

    private Step stepOne(int i, Action action) {
        Step step;
        try {
            step = environments[i].step(action);
        } catch (Throwable thrown) {
            throw failed(i, "step", thrown);
        }
        if (step == null) {
            throw new EnvironmentException(where(i) + ": step returned null");
        }
        return step;
    }

    private void write(int i, float[] observation, float[] rows) {
        if (observation == null || observation.length != observationSize) {
            throw new EnvironmentException(where(i) + ": the observation has "
                    + (observation == null ? "no" : observation.length) + " numbers, but the observation space "
                    + observationSpace + " has " + observationSize);
        }
        for (int j = 0; j < observationSize; j++) {
            if (!Float.isFinite(observation[j])) {
                throw new EnvironmentException(where(i) + ": observation[" + j + "] is " + observation[j]);
            }
        }
        System.arraycopy(observation, 0, rows, i * observationSize, observationSize);
    }

    private String where(int i) {
        return name + ": environment " + (firstIndex + i) + ", episode " + episode[i] + ", step " + elapsed[i];
    }

    private EnvironmentException failed(int i, String method, Throwable thrown) {
        return new EnvironmentException(
                where(i) + ": " + method + " threw " + EnvironmentFailures.describe(thrown), thrown);
    }

    @Override
    public boolean canSaveState() {
        return Arrays.stream(environments).allMatch(SavesState.class::isInstance);
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        requireSavable();
        out.writeLong(seed);
        out.writeInt(firstIndex + i);
        out.writeLong(episode[i]);
        out.writeLong(elapsed[i]);
        // Framed by its length, so that one that reads less or more than it wrote cannot shift its neighbours.
        ByteArrayOutputStream state = new ByteArrayOutputStream();
        try {
            ((SavesState) environments[i]).saveState(new DataOutputStream(state));
        } catch (Throwable thrown) {
            throw failed(i, "saveState", thrown);
        }
        out.writeInt(state.size());
        out.write(state.toByteArray());
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        requireSavable();
        seed = in.readLong();
        firstIndex = in.readInt() - i;
        started = true;
        episode[i] = in.readLong();
        elapsed[i] = in.readLong();
        int length = in.readInt();
        if (length < 0) {
            throw new IOException(where(i) + ": the saved state has a length of " + length + " bytes");
        }
        byte[] state = new byte[length];
        in.readFully(state);
        try {
            ((SavesState) environments[i]).restoreState(new DataInputStream(new ByteArrayInputStream(state)));
        } catch (Throwable thrown) {
            throw failed(i, "restoreState", thrown);
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        EnvironmentException failure = null;
        for (int i = 0; i < environments.length; i++) {
            try {
                environments[i].close();
            } catch (Throwable thrown) {
                EnvironmentException also = failed(i, "close", thrown);
                if (failure == null) {
                    failure = also;
                } else {
                    failure.addSuppressed(also);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void requireSavable() {
        if (!canSaveState()) {
            throw new UnsupportedOperationException(environments[0].getClass().getName() + " does not implement "
                    + SavesState.class.getName() + ", so its state cannot be saved");
        }
    }
}
