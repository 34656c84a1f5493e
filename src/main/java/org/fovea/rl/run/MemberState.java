// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;

/**
 * What a member of a run has of its own: where its environments stand, and what the policy remembers of them. A checkpoint has a file of it
 * for each member, so that members can be in other processes when the run goes on.
 */
final class MemberState {
    private MemberState() {}

    /** Name of a member's file. */
    static String file(int member) {
        return "environments-" + member + ".bin";
    }

    /** Called by all members. */
    static void save(TrainingState state, DataOutputStream out) throws IOException {
        Map<String, DeviceArray> arrays = arrays(state);
        out.writeInt(arrays.size());
        for (Map.Entry<String, DeviceArray> entry : arrays.entrySet()) {
            float[] numbers = new float[Math.toIntExact(entry.getValue().length())];
            state.backend().memory().download(entry.getValue(), numbers, 0);
            out.writeUTF(entry.getKey());
            out.writeInt(numbers.length);
            for (float number : numbers) {
                out.writeFloat(number);
            }
        }
        state.collector().saveEnvironments(out);
    }

    /**
     * Restores what was saved.
     *
     * @param runStep number of steps that each environment had taken
     */
    static void restore(TrainingState state, DataInputStream in, long runStep) throws IOException {
        Memory memory = state.backend().memory();
        Map<String, DeviceArray> arrays = arrays(state);
        int count = in.readInt();
        for (int i = 0; i < count; i++) {
            String name = in.readUTF();
            float[] numbers = new float[in.readInt()];
            for (int j = 0; j < numbers.length; j++) {
                numbers[j] = in.readFloat();
            }
            DeviceArray array = arrays.remove(name);
            if (array == null || array.length() != numbers.length) {
                throw new IOException(
                        "the run cannot be resumed: " + file(state.collective().rank()) + " has " + numbers.length
                                + " numbers of " + name + ", expected " + (array == null ? 0 : array.length()));
            }
            memory.upload(numbers, 0, array);
        }
        if (!arrays.isEmpty()) {
            throw new IOException(
                    "the run cannot be resumed: " + file(state.collective().rank()) + " lacks " + arrays.keySet());
        }
        state.collector().restoreEnvironments(in, runStep);
    }

    private static Map<String, DeviceArray> arrays(TrainingState state) {
        Map<String, DeviceArray> arrays = new TreeMap<>(state.context().persistent());
        for (Map.Entry<String, DeviceArray> entry : arrays.entrySet()) {
            if (entry.getValue().dtype() == DType.I32) {
                throw new IllegalStateException("memory of whole numbers cannot be saved: " + entry.getKey());
            }
        }
        return arrays;
    }
}
