// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.fovea.backend.rl.EnvironmentCopies.AGE;
import static org.fovea.backend.rl.EnvironmentCopies.ELAPSED;
import static org.fovea.backend.rl.EnvironmentCopies.EPISODE;
import static org.fovea.backend.rl.EnvironmentCopies.FAILED_AGE;
import static org.fovea.backend.rl.EnvironmentCopies.FAILED_ELEMENT;
import static org.fovea.backend.rl.EnvironmentCopies.FIRST_INDEX;
import static org.fovea.backend.rl.EnvironmentCopies.HEADER_WORDS;
import static org.fovea.backend.rl.EnvironmentCopies.NOT_FAILED;
import static org.fovea.backend.rl.EnvironmentCopies.RANDOM;
import static org.fovea.backend.rl.EnvironmentCopies.SEED;
import static org.fovea.backend.rl.EnvironmentCopies.STATE;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.EnvironmentCopies;

/** The state of a {@link BatchedEnvironment} on its way to a kernel and back: {@link EnvironmentCopies} says how it lies there. */
final class DeviceState {
    /** First planes of what all environments have, in the order of their variables. */
    private static final int[] COMMON = {ELAPSED, EPISODE, RANDOM};

    private final BatchedEnvironment host;
    private final int count;
    private final int stateBytes;
    private final int[] words;

    /** Steps that each environment has taken since the last reset, which the environment doesn't know itself. */
    private final int[] age;

    DeviceState(BatchedEnvironment host) {
        this.host = host;
        this.count = host.count();
        int bytes = 0;
        int alignment = Integer.BYTES;
        for (StateVariable variable : host.ownVariables()) {
            if (!variable.isTable()) {
                bytes = DeviceForm.aligned(bytes, variable.bytes()) + variable.bytes();
                alignment = Math.max(alignment, variable.bytes());
            }
        }
        stateBytes = DeviceForm.aligned(bytes, alignment);
        words = new int[HEADER_WORDS + (STATE + stateBytes / Integer.BYTES) * count];
        age = new int[count];
    }

    /** Bytes of the variables of one number, as a struct of C. */
    int stateBytes() {
        return stateBytes;
    }

    /** Words of the state array. */
    int length() {
        return words.length;
    }

    /** The tables among the variables. */
    List<StateVariable> tables() {
        return host.ownVariables().stream().filter(StateVariable::isTable).toList();
    }

    /** Words of a table on the device. */
    int length(StateVariable table) {
        return DeviceForm.aligned(Math.multiplyExact(count, table.width() * table.bytes()), Integer.BYTES)
                / Integer.BYTES;
    }

    /** Forgets how many steps were taken. */
    void reset() {
        Arrays.fill(age, 0);
    }

    /** Brings the environments' state to the device. */
    void upload(Memory memory, EnvironmentCopies<DeviceArray> copies) {
        Arrays.fill(words, 0, HEADER_WORDS, 0);
        words[SEED] = (int) host.seed();
        words[SEED + 1] = (int) (host.seed() >>> Integer.SIZE);
        words[FIRST_INDEX] = host.firstIndex();
        forEachField((variable, plane) -> move(variable, plane, true));
        for (int i = 0; i < count; i++) {
            words[at(AGE, i)] = age[i];
            words[at(FAILED_ELEMENT, i)] = NOT_FAILED;
            words[at(FAILED_AGE, i)] = 0;
        }
        memory.upload(words, 0, copies.state());
        List<StateVariable> tables = tables();
        for (int k = 0; k < tables.size(); k++) {
            int[] table = new int[length(tables.get(k))];
            move(tables.get(k), table, true);
            memory.upload(table, 0, copies.tables().get(k));
        }
    }

    /** Brings it back into the environments. */
    void download(Memory memory, EnvironmentCopies<DeviceArray> copies) {
        memory.download(copies.state(), words, 0);
        forEachField((variable, plane) -> move(variable, plane, false));
        for (int i = 0; i < count; i++) {
            age[i] = words[at(AGE, i)];
        }
        List<StateVariable> tables = tables();
        for (int k = 0; k < tables.size(); k++) {
            int[] table = new int[length(tables.get(k))];
            memory.download(copies.tables().get(k), table, 0);
            move(tables.get(k), table, false);
        }
    }

    /** What the last download had in a plane of environment {@code i}. */
    int downloaded(int plane, int i) {
        return words[at(plane, i)];
    }

    private int at(int plane, int i) {
        return HEADER_WORDS + plane * count + i;
    }

    private interface Field {
        void visit(StateVariable variable, int plane);
    }

    /** Visits the variables of one number with their first planes. */
    private void forEachField(Field field) {
        List<StateVariable> common = host.commonVariables();
        for (int k = 0; k < common.size(); k++) {
            field.visit(common.get(k), COMMON[k]);
        }
        int bytes = 0;
        for (StateVariable variable : host.ownVariables()) {
            if (!variable.isTable()) {
                bytes = DeviceForm.aligned(bytes, variable.bytes());
                field.visit(variable, STATE + bytes / Integer.BYTES);
                bytes += variable.bytes();
            }
        }
    }

    private void move(StateVariable variable, int plane, boolean toDevice) {
        ByteBuffer number = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            if (toDevice) {
                variable.put(i, number, 0);
            }
            for (int word = 0; word < variable.bytes() / Integer.BYTES; word++) {
                if (toDevice) {
                    words[at(plane + word, i)] = number.getInt(word * Integer.BYTES);
                } else {
                    number.putInt(word * Integer.BYTES, words[at(plane + word, i)]);
                }
            }
            if (!toDevice) {
                variable.get(i, number, 0);
            }
        }
    }

    /** A table, [count, width] here and [width, count] on the device. */
    private void move(StateVariable variable, int[] table, boolean toDevice) {
        ByteBuffer buffer = ByteBuffer.allocate(table.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        if (!toDevice) {
            buffer.asIntBuffer().put(table);
        }
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < variable.width(); j++) {
                int from = i * variable.width() + j;
                int to = (j * count + i) * variable.bytes();
                if (toDevice) {
                    variable.put(from, buffer, to);
                } else {
                    variable.get(from, buffer, to);
                }
            }
        }
        if (toDevice) {
            buffer.asIntBuffer().get(table);
        }
    }
}
