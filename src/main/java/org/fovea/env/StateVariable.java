// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A state variable of a {@link BatchedEnvironment}.
 *
 * @param array double[], long[], int[] or byte[], [count, width]
 * @param isTable whether it has several numbers of each environment: then it is a table of a kernel, else a field of its state
 */
record StateVariable(Object array, int width, boolean isTable) {

    /** Bytes of a number. */
    int bytes() {
        return array instanceof double[] || array instanceof long[]
                ? Long.BYTES
                : array instanceof int[] ? Integer.BYTES : Byte.BYTES;
    }

    /** Writes what it holds of environment {@code i}. */
    void write(int i, DataOutput out) throws IOException {
        out.writeInt(width);
        for (int j = i * width; j < (i + 1) * width; j++) {
            if (array instanceof double[] doubles) {
                out.writeDouble(doubles[j]);
            } else if (array instanceof long[] longs) {
                out.writeLong(longs[j]);
            } else if (array instanceof int[] ints) {
                out.writeInt(ints[j]);
            } else {
                out.writeByte(((byte[]) array)[j]);
            }
        }
    }

    /** Reads what {@link #write} wrote. */
    void read(int i, DataInput in) throws IOException {
        int savedWidth = in.readInt();
        if (savedWidth != width) {
            throw new IOException("a saved state variable has " + savedWidth + " numbers, expected " + width
                    + ": it was saved with other parameters");
        }
        for (int j = i * width; j < (i + 1) * width; j++) {
            if (array instanceof double[] doubles) {
                doubles[j] = in.readDouble();
            } else if (array instanceof long[] longs) {
                longs[j] = in.readLong();
            } else if (array instanceof int[] ints) {
                ints[j] = in.readInt();
            } else {
                ((byte[]) array)[j] = in.readByte();
            }
        }
    }

    /** Puts element {@code j} at a place of a buffer. */
    void put(int j, ByteBuffer buffer, int at) {
        if (array instanceof double[] doubles) {
            buffer.putDouble(at, doubles[j]);
        } else if (array instanceof long[] longs) {
            buffer.putLong(at, longs[j]);
        } else if (array instanceof int[] ints) {
            buffer.putInt(at, ints[j]);
        } else {
            buffer.put(at, ((byte[]) array)[j]);
        }
    }

    /** Gets element {@code j} from a place of a buffer. */
    void get(int j, ByteBuffer buffer, int at) {
        if (array instanceof double[] doubles) {
            doubles[j] = buffer.getDouble(at);
        } else if (array instanceof long[] longs) {
            longs[j] = buffer.getLong(at);
        } else if (array instanceof int[] ints) {
            ints[j] = buffer.getInt(at);
        } else {
            ((byte[]) array)[j] = buffer.get(at);
        }
    }
}
