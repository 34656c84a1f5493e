// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** A user's own {@link VectorEnvironment}: what it throws is reported with which environments and which step. */
final class CheckedBatch implements VectorEnvironment {
    private final String name;
    private final VectorEnvironment batch;
    private final Space observationSpace;
    private final Space actionSpace;
    private final int[] choicesOfAction;
    private final boolean masksActions;
    private final int count;
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
                batches.add(batch instanceof BatchedEnvironment ? batch : new CheckedBatch(name, batch, count));
            }
            return batches;
        } catch (Throwable failure) {
            EnvironmentFailures.closeAll(made, failure);
            throw failure;
        }
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
        String which = count == 1 ? "environment " + firstIndex : "environments " + firstIndex + " to " + last();
        return EnvironmentFailures.of(name + ": " + which + ", step " + steps, method, thrown);
    }

    private String where(int i) {
        return name + ": environment " + (firstIndex + i) + ", step " + steps;
    }

    private int last() {
        return firstIndex + count - 1;
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
        try {
            call.run();
        } catch (Throwable thrown) {
            throw failed(method, thrown);
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
        run("reset", () -> batch.reset(seed, first, observations));
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        StepChecks.check(this, choicesOfAction, firstIndex, choices, values, result);
        try {
            batch.step(choices, values, result);
        } catch (Throwable thrown) {
            throw failed("step", thrown);
        }
        steps++;
    }

    @Override
    public void restart(int i, float[] observations) {
        run("restart", () -> batch.restart(i, observations));
    }

    @Override
    public boolean masksActions() {
        return masksActions;
    }

    @Override
    public void actionMasks(boolean[] allowed) {
        run("actionMasks", () -> batch.actionMasks(allowed));
        for (int i = 0; i < count; i++) {
            ActionMasks.requireAChoice(choicesOfAction, allowed, i, this::where);
        }
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
            run("close", batch::close);
        }
    }
}
