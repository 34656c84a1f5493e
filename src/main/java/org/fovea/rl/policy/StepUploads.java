// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.UploadBlock;
import org.fovea.backend.rl.StepArrays;
import org.fovea.env.StepBatch;

/** The way to the device for what environments {@code [from, to)} show; a step is one copy. */
final class StepUploads implements AutoCloseable {
    private static final int OBSERVATIONS = 0;
    private static final int REWARDS = 1;
    private static final int TERMINATED = 2;
    private static final int TRUNCATED = 3;
    private static final int ALLOWED = 4;

    /** The last, which is needed only where an episode was cut. */
    private static final int FINAL_OBSERVATIONS = 5;

    private final int from;
    private final int rows;
    private final int size;
    private final int choices;
    private final UploadBlock block;
    private final StepArrays<DeviceArray> step;
    private int cut;

    StepUploads(Agent agent, int from, int to) {
        Backend backend = agent.backend();
        this.from = from;
        this.rows = to - from;
        this.size = agent.spaces().observations().size();
        this.choices = agent.spaces().masked()
                ? 1 + Arrays.stream(agent.distribution().choiceOfOutput()).max().orElseThrow()
                : 0;
        DType floats = backend.memory().floatType();
        DType[] types = {floats, floats, DType.I32, DType.I32, DType.I32, floats};
        this.block = backend.memory()
                .allocateUploads(types, new int[] {rows * size, rows, rows, rows, rows * choices, rows * size});
        this.step = new StepArrays<>(
                rows,
                size,
                block.array(OBSERVATIONS),
                block.array(REWARDS),
                block.array(TERMINATED),
                block.array(TRUNCATED),
                block.array(FINAL_OBSERVATIONS),
                choices == 0 ? null : block.array(ALLOWED));
    }

    /** Where it goes. */
    StepArrays<DeviceArray> step() {
        return step;
    }

    /** Puts what is to be acted on; arrays are of all environments, {@code allowed} is empty where nothing is ever forbidden. */
    void putObservations(float[] observations, boolean[] allowed) {
        block.put(OBSERVATIONS, 0, observations, from * size, rows * size);
        block.put(ALLOWED, 0, allowed, from * choices, rows * choices);
    }

    /**
     * Puts what came of the step before.
     *
     * @param continues whether the value of final observations is wanted, where episodes were cut
     */
    void putOutcome(StepBatch outcome, boolean continues) {
        block.put(REWARDS, 0, outcome.rewards(), from, rows);
        block.put(TERMINATED, 0, outcome.terminated(), from, rows);
        block.put(TRUNCATED, 0, outcome.truncated(), from, rows);
        cut = 0;
        for (int i = from; i < from + rows && continues; i++) {
            if (outcome.truncated()[i]) {
                block.put(FINAL_OBSERVATIONS, (i - from) * size, outcome.finalObservations(), i * size, size);
                cut++;
            }
        }
    }

    /** Uploads all of it; how many episodes were cut whose final observations were put. */
    int upload() {
        int uploaded = cut;
        block.upload(uploaded > 0 ? FINAL_OBSERVATIONS + 1 : FINAL_OBSERVATIONS);
        cut = 0;
        return uploaded;
    }

    @Override
    public void close() {
        block.close();
    }
}
