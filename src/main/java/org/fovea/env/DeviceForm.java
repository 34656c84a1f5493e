// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fovea.backend.rl.EnvironmentCopies;

/**
 * The kernel that plays a {@link BatchedEnvironment} on a device by the same rules. {@code kernels/env/environment.cuh} says how
 * one is written.
 *
 * @param kernel the name it is registered under in its .cu, by {@code REGISTER_ENVIRONMENT}
 * @param constants what the rules' numbers are: a record whose components are, in order and type, the fields of {@code Constants}
 *     in the .cu: double, float, int, byte, or a record of such
 */
public record DeviceForm(String kernel, Record constants) {

    /** Bytes of the constants, as a struct of C. */
    int constantBytes() {
        return isEmpty(constants) ? 0 : extent(constants.getClass());
    }

    /** The constants, in words of 8 bytes. */
    long[] constantWords() {
        int most = EnvironmentCopies.MOST_CONSTANTS * Long.BYTES;
        if (constantBytes() > most) {
            throw new InvalidEnvironmentException(
                    kernel + ": its constants have " + constantBytes() + " bytes, there can be " + most);
        }
        ByteBuffer buffer = ByteBuffer.allocate(most).order(ByteOrder.LITTLE_ENDIAN);
        put(constants, buffer, 0);
        long[] words = new long[EnvironmentCopies.MOST_CONSTANTS];
        buffer.asLongBuffer().get(words);
        return words;
    }

    private static boolean isEmpty(Record record) {
        return record.getClass().getRecordComponents().length == 0;
    }

    private void put(Record record, ByteBuffer buffer, int start) {
        int at = start;
        for (RecordComponent component : record.getClass().getRecordComponents()) {
            Class<?> type = component.getType();
            at = aligned(at, alignment(type));
            Object value = value(record, component);
            if (value instanceof Double number) {
                buffer.putDouble(at, number);
            } else if (value instanceof Float number) {
                buffer.putFloat(at, number);
            } else if (value instanceof Integer number) {
                buffer.putInt(at, number);
            } else if (value instanceof Byte number) {
                buffer.put(at, number);
            } else {
                put((Record) value, buffer, at);
            }
            at += extent(type);
        }
    }

    private Object value(Record record, RecordComponent component) {
        try {
            component.getAccessor().setAccessible(true);
            return component.getAccessor().invoke(record);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(kernel + ": constant " + component.getName() + " can't be read", e);
        }
    }

    private int extent(Class<?> type) {
        if (!type.isRecord()) {
            return alignment(type);
        }
        int bytes = 0;
        for (RecordComponent component : type.getRecordComponents()) {
            bytes = aligned(bytes, alignment(component.getType())) + extent(component.getType());
        }
        return aligned(bytes, alignment(type));
    }

    private int alignment(Class<?> type) {
        if (type == double.class) {
            return Double.BYTES;
        }
        if (type == float.class || type == int.class) {
            return Integer.BYTES;
        }
        if (type == byte.class) {
            return Byte.BYTES;
        }
        if (!type.isRecord()) {
            throw new InvalidEnvironmentException(
                    kernel + ": a constant is a double, float, int, byte or a record of those," + " not a "
                            + type.getSimpleName());
        }
        int most = 1;
        for (RecordComponent component : type.getRecordComponents()) {
            most = Math.max(most, alignment(component.getType()));
        }
        return most;
    }

    /** The next multiple of an alignment. */
    static int aligned(int bytes, int alignment) {
        return (bytes + alignment - 1) / alignment * alignment;
    }
}
