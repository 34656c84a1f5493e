// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import java.io.DataInput;
import java.io.DataOutput;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.fovea.env.EnvironmentException;
import org.fovea.env.EnvironmentSpec.Spaces;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.env.SplitMix64;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;

/** Environments of Gymnasium, shared out among workers that step at the same time. */
final class GymnasiumBatch implements VectorEnvironment {
    private final String name;
    private final Spaces spaces;
    private final Part[] parts;
    private final int count;
    private final int[] choicesOfAction;
    private final int actionSize;
    private final int maskSize;
    private final boolean[] masks;
    private final long[] episode;
    private final long[] elapsed;
    private long seed;
    private int firstIndex;
    private boolean started;
    private boolean closed;

    /**
     * A worker and its environments.
     *
     * @param first of them, in the batch
     */
    private record Part(
            PythonWorker worker,
            AnswerLayout layout,
            int first,
            int count,
            Frame reset,
            Frame step,
            Frame restart,
            Frame answer) {
        static Part of(PythonWorker worker, AnswerLayout layout, int first, int count, int numbersOfAction) {
            int seedsEnd = Frame.HEADER_BYTES + Long.BYTES * count;
            return new Part(
                    worker,
                    layout,
                    first,
                    count,
                    Frame.allocate(seedsEnd),
                    Frame.allocate(seedsEnd + 4 * count * numbersOfAction),
                    Frame.allocate(Frame.HEADER_BYTES + 2 * Long.BYTES),
                    layout.newFrame());
        }
    }

    /** Asks the workers to make environments; {@link #awaitStart} has to follow. */
    GymnasiumBatch(String name, Spaces spaces, List<PythonWorker> workers, int count) {
        this.name = name;
        this.spaces = spaces;
        this.count = count;
        choicesOfAction = Schema.of(spaces.actions()).choices();
        actionSize = spaces.actions().size();
        maskSize = spaces.masked() ? Arrays.stream(choicesOfAction).sum() : 0;
        masks = new boolean[count * maskSize];
        episode = new long[count];
        elapsed = new long[count];
        parts = new Part[workers.size()];
        int numbers = choicesOfAction.length > 0 ? choicesOfAction.length : actionSize;
        for (int p = 0; p < parts.length; p++) {
            int from = (int) ((long) count * p / parts.length);
            int to = (int) ((long) count * (p + 1) / parts.length);
            AnswerLayout layout = new AnswerLayout(spaces.observations(), to - from, maskSize, true);
            parts[p] = Part.of(workers.get(p), layout, from, to - from, numbers);
            workers.get(p).requestStart(to - from, layout.fileLength());
        }
    }

    void awaitStart() {
        for (Part part : parts) {
            try {
                part.worker.started();
            } catch (WorkerFailure e) {
                throw e.at(name + ": environment " + (part.first + Math.max(0, e.environment)));
            }
        }
    }

    @Override
    public int count() {
        return count;
    }

    @Override
    public Space observationSpace() {
        return spaces.observations();
    }

    @Override
    public Space actionSpace() {
        return spaces.actions();
    }

    private long episodeSeed(int i, long ofEpisode) {
        // Not every environment takes a seed of more than 31 bits.
        return SplitMix64.episodeSeed(seed, firstIndex + i, ofEpisode) >>> 33;
    }

    @Override
    public void reset(long newSeed, int first, float[] observations) {
        seed = newSeed;
        firstIndex = first;
        started = true;
        Arrays.fill(episode, 0);
        Arrays.fill(elapsed, 0);
        for (Part part : parts) {
            for (int i = 0; i < part.count; i++) {
                part.reset.values().putLong(Frame.HEADER_BYTES + Long.BYTES * i, episodeSeed(part.first + i, 0));
            }
            part.worker.send(PythonWorker.RESET, part.reset);
        }
        for (Part part : parts) {
            receive(part);
            for (int i = 0; i < part.count; i++) {
                read(part, false, i, observations);
                readMask(part, i);
            }
        }
    }

    @Override
    public void restart(int i, float[] observations) {
        Part part = parts[0];
        for (Part other : parts) {
            part = other.first <= i ? other : part;
        }
        episode[i]++;
        elapsed[i] = 0;
        int inPart = i - part.first;
        part.restart.values().putLong(Frame.HEADER_BYTES, inPart);
        part.restart.values().putLong(Frame.HEADER_BYTES + Long.BYTES, episodeSeed(i, episode[i]));
        part.worker.send(PythonWorker.RESTART, part.restart);
        receive(part);
        read(part, false, inPart, observations);
        readMask(part, inPart);
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        if (!started) {
            throw new IllegalStateException("step before reset: call reset first");
        }
        for (Part part : parts) {
            sendStep(part, choices, values);
        }
        for (Part part : parts) {
            receive(part);
            for (int i = 0; i < part.count; i++) {
                readStep(part, i, result);
            }
        }
    }

    private void sendStep(Part part, int[] choices, float[] values) {
        ByteBuffer request = part.step.values();
        int at = Frame.HEADER_BYTES;
        for (int i = part.first; i < part.first + part.count; i++, at += Long.BYTES) {
            request.putLong(at, episodeSeed(i, episode[i] + 1));
        }
        if (choicesOfAction.length > 0) {
            int width = choicesOfAction.length;
            for (int j = part.first * width; j < (part.first + part.count) * width; j++, at += Integer.BYTES) {
                request.putInt(at, choices[j]);
            }
        } else {
            for (int j = part.first * actionSize; j < (part.first + part.count) * actionSize; j++, at += Float.BYTES) {
                request.putFloat(at, values[j]);
            }
        }
        part.worker.send(PythonWorker.STEP, part.step);
    }

    private void readStep(Part part, int inPart, StepBatch result) {
        int i = part.first + inPart;
        elapsed[i]++;
        float reward = part.layout.reward(part.answer.values(), inPart);
        if (!Float.isFinite(reward)) {
            throw new EnvironmentException(where(i) + ": the reward is " + reward);
        }
        result.rewards()[i] = reward;
        byte flag = part.layout.flag(part.answer.values(), inPart);
        result.terminated()[i] = flag == AnswerLayout.TERMINATED;
        result.truncated()[i] = flag == AnswerLayout.TRUNCATED;
        if (flag != 0) {
            read(part, true, inPart, result.finalObservations());
            episode[i]++;
            elapsed[i] = 0;
        }
        read(part, false, inPart, result.observations());
        readMask(part, inPart);
    }

    private void receive(Part part) {
        try {
            part.worker.receive(part.answer);
        } catch (WorkerFailure e) {
            throw e.at(where(part, e));
        }
    }

    /** Where a worker failed, which may be a step or the next episode ahead of what is counted here. */
    private String where(Part part, WorkerFailure failure) {
        if (failure.environment < 0) {
            int last = firstIndex + part.first + part.count - 1;
            return name + ": environments " + (firstIndex + part.first) + " to " + last + ", step "
                    + elapsed[part.first];
        }
        int i = part.first + failure.environment;
        return switch (failure.stage) {
            case "after step" -> where(i, episode[i], elapsed[i] + 1);
            case "next reset" -> where(i, episode[i] + 1, 0);
            default -> where(i);
        };
    }

    private void read(Part part, boolean last, int inPart, float[] rows) {
        try {
            part.layout.read(part.answer.values(), part.worker.file(), last, inPart, rows, part.first + inPart);
        } catch (IllegalArgumentException e) {
            throw new EnvironmentException(where(part.first + inPart) + ": " + e.getMessage());
        }
    }

    private void readMask(Part part, int inPart) {
        if (maskSize == 0) {
            return;
        }
        int i = part.first + inPart;
        part.layout.readMask(part.answer.values(), inPart, masks, i);
        int at = i * maskSize;
        for (int choice = 0; choice < choicesOfAction.length; choice++) {
            boolean any = false;
            for (int n = 0; n < choicesOfAction[choice]; n++) {
                any |= masks[at++];
            }
            if (!any) {
                throw new EnvironmentException(where(i) + ": the action mask allows none of the "
                        + choicesOfAction[choice] + " choices"
                        + (choicesOfAction.length == 1 ? "" : " of part " + choice));
            }
        }
    }

    private String where(int i) {
        return where(i, episode[i], elapsed[i]);
    }

    private String where(int i, long ofEpisode, long step) {
        return name + ": environment " + (firstIndex + i) + ", episode " + ofEpisode + ", step " + step;
    }

    @Override
    public boolean masksActions() {
        return spaces.masked();
    }

    @Override
    public void actionMasks(boolean[] allowed) {
        if (spaces.masked()) {
            System.arraycopy(masks, 0, allowed, 0, masks.length);
        } else {
            Arrays.fill(allowed, true);
        }
    }

    @Override
    public boolean canSaveState() {
        return false;
    }

    @Override
    public void saveState(int i, DataOutput out) {
        throw new UnsupportedOperationException("an environment of Gymnasium cannot save its state");
    }

    @Override
    public void restoreState(int i, DataInput in) {
        throw new UnsupportedOperationException("an environment of Gymnasium cannot save its state");
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        RuntimeException failure = null;
        for (Part part : parts) {
            part.worker.requestClose();
        }
        for (Part part : parts) {
            WorkerFailure ofPart = part.worker.close();
            if (ofPart != null && failure == null) {
                failure = ofPart.at(where(part.first + Math.max(0, ofPart.environment)));
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
