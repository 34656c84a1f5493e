// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** A user's own {@link VectorEnvironment}: what it throws is reported with which environments and which step. */
final class CheckedBatch implements VectorEnvironment {
    /** What is in this package is checked by tests, and is given to the trainer as it is. */
    private static final String BUILT_IN = "org.fovea.env.games";

    private final String name;
    private final VectorEnvironment batch;
    private final Space observationSpace;
    private final Space actionSpace;
    private final int[] choicesOfAction;
    private final boolean masksActions;
    private final int count;
    private final Schema observationSchema;
    private final EntityCounts entities;

    /** Null where calls may take as long as they like. */
    private final @Nullable CallMonitor monitor;

    private final long[] episodes;
    private int firstIndex;
    private long steps;
    private boolean closed;

    private CheckedBatch(String name, VectorEnvironment batch, int count) {
        this.name = name;
        this.batch = batch;
        this.count = count;
        this.observationSpace = requireSpace("observationSpace", call("observationSpace", batch::observationSpace));
        this.actionSpace = requireSpace("actionSpace", call("actionSpace", batch::actionSpace));
        this.choicesOfAction = Schema.of(actionSpace).choices();
        this.masksActions = call("masksActions", batch::masksActions);
        int actual = call("count", batch::count);
        if (actual != count) {
            throw new InvalidEnvironmentException(
                    name + ": its factory was asked for " + count + " environments and made " + actual);
        }
        this.observationSchema = Schema.of(observationSpace);
        this.entities = new EntityCounts(count, observationSpace, actionSpace);
        this.episodes = new long[count];
        this.monitor = StepTimeout.monitor(i -> name + ": " + which() + ", step " + steps);
    }

    /** As {@link EnvironmentSpec#createAll}. */
    static List<VectorEnvironment> createAll(String name, IntFunction<VectorEnvironment> factory, int... counts) {
        List<VectorEnvironment> made = new ArrayList<>();
        List<VectorEnvironment> batches = new ArrayList<>();
        try {
            for (int count : counts) {
                if (count < 1) {
                    throw new IllegalArgumentException("a batch needs at least 1 environment, not " + count);
                }
                VectorEnvironment batch = make(name, factory, count);
                if (made.stream().anyMatch(other -> other == batch)) {
                    throw new InvalidEnvironmentException(
                            name + ": its factory returned the same batch twice; it has to make a new one each time");
                }
                made.add(batch);
                if (batch instanceof BatchedEnvironment saved) {
                    saved.setName(name);
                }
                boolean isBuiltIn = batch.getClass().getPackageName().equals(BUILT_IN);
                batches.add(isBuiltIn ? batch : new CheckedBatch(name, batch, count));
                requireSameSpaces(name, batches.get(0), batches.get(batches.size() - 1));
            }
            return batches;
        } catch (Throwable failure) {
            EnvironmentFailures.closeAll(made, failure);
            throw failure;
        }
    }

    private static void requireSameSpaces(String name, VectorEnvironment first, VectorEnvironment other) {
        if (!first.observationSpace().equals(other.observationSpace())
                || !first.actionSpace().equals(other.actionSpace())
                || first.masksActions() != other.masksActions()) {
            throw new InvalidEnvironmentException(name + ": one batch has " + spaces(other) + ", another "
                    + spaces(first) + "; all must have the same");
        }
    }

    private static String spaces(VectorEnvironment batch) {
        return "observations " + batch.observationSpace() + " and actions " + batch.actionSpace()
                + (batch.masksActions() ? ", masked" : "");
    }

    private static VectorEnvironment make(String name, IntFunction<VectorEnvironment> factory, int count) {
        VectorEnvironment batch;
        try {
            batch = factory.apply(count);
        } catch (Throwable thrown) {
            throw EnvironmentFailures.of(name, "its factory", thrown);
        }
        if (batch == null) {
            throw new InvalidEnvironmentException(name + ": its factory returned null");
        }
        return batch;
    }

    private Space requireSpace(String method, Space space) {
        if (space == null || space.size() < 1) {
            throw new InvalidEnvironmentException(name + ": " + method + " returned " + space);
        }
        return space;
    }

    private RuntimeException failed(String method, Throwable thrown) {
        return EnvironmentFailures.of(name + ": " + which() + ", step " + steps, method, thrown);
    }

    private String which() {
        return count == 1
                ? "environment " + firstIndex
                : "environments " + firstIndex + " to " + (firstIndex + count - 1);
    }

    private String where(int i) {
        return name + ": environment " + (firstIndex + i) + ", episode " + episodes[i] + ", step " + steps
                + " of the run";
    }

    /** That there is something to act on in row {@code i}. */
    private void requireState(float[] observations, int i) {
        requireFinite("the observation", observations, i);
        entities.note(observations, i, i, this::where);
        entities.requireOne(i, this::where);
    }

    private void requireFinite(String what, float[] rows, int i) {
        int size = observationSpace.size();
        for (int j = 0; j < size; j++) {
            if (!Float.isFinite(rows[i * size + j])) {
                throw new EnvironmentException(where(i) + ": " + what + ", element " + observationSchema.element(j)
                        + ", is " + rows[i * size + j]);
            }
        }
    }

    /** The user's own. */
    VectorEnvironment unchecked() {
        return batch;
    }

    private interface Call<T> {
        T run();
    }

    private <T> T call(String method, Call<T> call) {
        try {
            return call.run();
        } catch (Throwable thrown) {
            throw failed(method, thrown);
        }
    }

    private void run(String method, Runnable call) {
        if (monitor != null) {
            monitor.enter(0, method);
        }
        try {
            call.run();
        } catch (Throwable thrown) {
            throw failed(method, thrown);
        } finally {
            if (monitor != null) {
                monitor.leave();
            }
        }
    }

    private interface StateCall {
        void run() throws IOException;
    }

    private void callState(String method, StateCall call) throws IOException {
        try {
            call.run();
        } catch (IOException e) {
            throw e;
        } catch (Throwable thrown) {
            throw failed(method, thrown);
        }
    }

    @Override
    public int count() {
        return count;
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
    public void reset(long seed, int first, float[] observations) {
        firstIndex = first;
        steps = 0;
        Arrays.fill(episodes, 0);
        run("reset", () -> batch.reset(seed, first, observations));
        for (int i = 0; i < count; i++) {
            requireState(observations, i);
        }
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        StepChecks.check(this, choicesOfAction, firstIndex, choices, values, result);
        run("step", () -> batch.step(choices, values, result));
        for (int i = 0; i < count; i++) {
            if (!Float.isFinite(result.rewards()[i])) {
                throw new EnvironmentException(where(i) + ": the reward is " + result.rewards()[i]);
            }
            requireState(result.observations(), i);
            if (result.terminated()[i] || result.truncated()[i]) {
                requireFinite("the final observation", result.finalObservations(), i);
                episodes[i]++;
            }
        }
        steps++;
    }

    @Override
    public float[] reportedRewards(StepBatch last) {
        try {
            return batch.reportedRewards(last);
        } catch (Throwable thrown) {
            throw failed("reportedRewards", thrown);
        }
    }

    @Override
    public void restart(int i, float[] observations) {
        run("restart", () -> batch.restart(i, observations));
        episodes[i]++;
        requireState(observations, i);
    }

    @Override
    public boolean masksActions() {
        return masksActions;
    }

    @Override
    public void actionMasks(boolean[] allowed) {
        run("actionMasks", () -> batch.actionMasks(allowed));
        for (int i = 0; i < count; i++) {
            entities.forbidAbsent(i, allowed);
            ActionMasks.requireAChoice(choicesOfAction, allowed, i, this::where);
        }
    }

    @Override
    public @Nullable Drawable drawable(int i) {
        try {
            return batch.drawable(i);
        } catch (Throwable thrown) {
            throw failed("drawable", thrown);
        }
    }

    @Override
    public void onEpisodeEnd(@Nullable IntConsumer listener) {
        run("onEpisodeEnd", () -> batch.onEpisodeEnd(listener));
    }

    @Override
    public boolean canSaveState() {
        return call("canSaveState", batch::canSaveState);
    }

    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        callState("saveState", () -> batch.saveState(i, out));
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        callState("restoreState", () -> batch.restoreState(i, in));
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            if (monitor != null) {
                StepTimeout.forget(monitor);
            }
            call("close", () -> {
                batch.close();
                return true;
            });
        }
    }
}
