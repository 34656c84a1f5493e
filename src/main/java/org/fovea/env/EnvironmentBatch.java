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
import java.util.function.Function;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

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
    private final Schema observationSchema;
    private final int[] choicesOfAction;
    private final int[] starts;

    /** Null where every choice is always allowed. */
    private final @Nullable ActionMasks masks;

    private final EntityCounts entities;

    /** Null where calls may take as long as they like. */
    private final @Nullable CallMonitor monitor;

    private final long[] episode;
    private final long[] elapsed;
    private long seed;
    private int firstIndex;
    private boolean started;

    /** Null while nobody looks. */
    private @Nullable IntConsumer episodeEnd;

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
        observationSchema = Schema.of(observationSpace);
        choicesOfAction = Schema.of(actionSpace).choices();
        starts = Schema.of(actionSpace).starts();
        masks = spaces.masked() ? new ActionMasks(count, choicesOfAction) : null;
        entities = new EntityCounts(count, observationSpace, actionSpace);
        episode = new long[count];
        elapsed = new long[count];
        monitor = StepTimeout.monitor(this::where);
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
        enter(i, "reset");
        try {
            first = environments[i].reset(SplitMix64.episodeSeed(seed, firstIndex + i, episode[i]));
        } catch (Throwable thrown) {
            throw failed(i, "reset", thrown);
        } finally {
            leave();
        }
        requireSpace(i, "observationSpace", observationSpace, Environment::observationSpace);
        requireSpace(i, "actionSpace", actionSpace, Environment::actionSpace);
        write(i, first, observations);
        mask(i, null);
    }

    private void enter(int i, String method) {
        if (monitor != null) {
            monitor.enter(i, method);
        }
    }

    private void leave() {
        if (monitor != null) {
            monitor.leave();
        }
    }

    private void requireSpace(int i, String method, Space before, Function<Environment, Space> space) {
        Space now;
        try {
            now = space.apply(environments[i]);
        } catch (Throwable thrown) {
            throw failed(i, method, thrown);
        }
        if (now != before && !before.equals(now)) {
            throw new EnvironmentException(
                    where(i) + ": " + method + " is now " + now + ", but was " + before
                            + "; spaces must stay as they are (a mask forbids choices for a while, Space.Entities come and go)");
        }
    }

    /** Notes which choices environment {@code i} allows now: those of its step, or what it says itself. */
    private void mask(int i, boolean @Nullable [] ofStep) {
        entities.requireOne(i, this::where);
        if (masks == null) {
            if (ofStep != null) {
                throw new EnvironmentException(where(i) + ": step returned an action mask, but masksActions() of "
                        + environments[i].getClass().getName() + " is false; let it return true");
            }
            return;
        }
        boolean[] mask = ofStep;
        if (mask == null) {
            try {
                mask = environments[i].actionMask();
            } catch (Throwable thrown) {
                throw failed(i, "actionMask", thrown);
            }
        }
        masks.set(i, mask, entities, this::where);
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
        StepChecks.check(this, choicesOfAction, firstIndex, choices, values, result);
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
                if (episodeEnd != null) {
                    episodeEnd.accept(i);
                }
                episode[i]++;
                startEpisode(i, result.observations());
            } else {
                write(i, step.observation(), result.observations());
                mask(i, step.mask());
            }
        }
    }

    private Action action(int i, int[] choices, float[] values) {
        int parts = starts.length;
        if (parts == 0) {
            return Action.of(Arrays.copyOfRange(values, i * actionSize, (i + 1) * actionSize));
        }
        int[] chosen = Arrays.copyOfRange(choices, i * parts, (i + 1) * parts);
        for (int part = 0; part < parts; part++) {
            chosen[part] += starts[part];
        }
        return Action.ofChoices(chosen);
    }

    private Step stepOne(int i, Action action) {
        Step step;
        enter(i, "step");
        try {
            step = environments[i].step(action);
        } catch (Throwable thrown) {
            throw failed(i, "step", thrown);
        } finally {
            leave();
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
                throw new EnvironmentException(where(i) + ": observation" + element(j) + " is " + observation[j]);
            }
        }
        entities.note(observation, 0, i, this::where);
        System.arraycopy(observation, 0, rows, i * observationSize, observationSize);
    }

    private String element(int j) {
        String element = observationSchema.element(j);
        return element.startsWith("[") ? element : "." + element;
    }

    private String where(int i) {
        return name + ": environment " + (firstIndex + i) + ", episode " + episode[i] + ", step " + elapsed[i];
    }

    private EnvironmentException failed(int i, String method, Throwable thrown) {
        return new EnvironmentException(
                where(i) + ": " + method + " threw " + EnvironmentFailures.describe(thrown), thrown);
    }

    @Override
    public boolean masksActions() {
        return masks != null;
    }

    @Override
    public void actionMasks(boolean[] allowed) {
        if (masks == null) {
            Arrays.fill(allowed, true);
        } else {
            masks.copyTo(allowed);
        }
    }

    @Override
    public @Nullable Drawable drawable(int i) {
        return environments[i] instanceof Drawable drawable ? drawable : null;
    }

    @Override
    public void onEpisodeEnd(@Nullable IntConsumer listener) {
        episodeEnd = listener;
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
        if (masks != null) {
            for (boolean allowed : masks.of(i)) {
                out.writeBoolean(allowed);
            }
        }
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
        if (masks != null) {
            boolean[] mask = masks.of(i);
            for (int choice = 0; choice < mask.length; choice++) {
                mask[choice] = in.readBoolean();
            }
            masks.restore(i, mask);
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (monitor != null) {
            StepTimeout.forget(monitor);
        }
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
