// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.fovea.io.SafeTensorsReader;
import org.fovea.io.TensorInfo;
import org.fovea.io.TensorType;

/** Tensors of whole numbers: lengths, segments and starts of sequences. */
final class IntegerTensors {
    private static final int PIECE = Numbers.PIECE;

    /** What the numbers of a tensor must be. */
    interface Rule {
        /**
         * Judges one number.
         *
         * @param before the number before this one
         * @return what the number should be, or the empty string if it is fine
         */
        String expected(long index, long number, long before);
    }

    /** Takes the numbers. */
    interface Sink {
        void accept(long offset, int[] numbers, int count);
    }

    private IntegerTensors() {}

    /** Any number of 32 bits. */
    static Rule any() {
        return (index, number, before) -> number == (int) number ? "" : "a number of 32 bits";
    }

    /** A length from 0 to {@code keys}. */
    static Rule length(int keys) {
        return (index, number, before) -> number >= 0 && number <= keys ? "" : "from 0 to " + keys;
    }

    /** Starts and ends of sequences that follow each other in {@code rows} rows. */
    static Rule ends(int rows) {
        return (index, number, before) -> {
            if (index == 0) {
                return number == 0 ? "" : "0, the start of the first sequence";
            }
            return number >= before && number <= rows
                    ? ""
                    : "from " + before + ", where its sequence starts, to " + rows;
        };
    }

    /**
     * Reads a tensor, checked.
     *
     * @throws InvalidRequestException naming the first number that is not as it must be
     */
    static void read(SafeTensorsReader reader, String name, Rule rule, Sink sink) throws IOException {
        TensorInfo info = reader.info(name);
        TensorType type = info.type();
        long before = 0;
        for (long offset = 0; offset < info.elements(); offset += PIECE) {
            int count = (int) Math.min(PIECE, info.elements() - offset);
            ByteBuffer bytes = Encoding.buffer(type, count);
            reader.read(name, offset * type.bytes(), bytes);
            int[] numbers = new int[count];
            for (int i = 0; i < count; i++) {
                long number = type == TensorType.I64 ? bytes.getLong() : bytes.getInt();
                String expected = rule.expected(offset + i, number, before);
                if (!expected.isEmpty()) {
                    throw new InvalidRequestException("tensor '" + name + "' holds " + number + " at " + (offset + i)
                            + ", but it should be " + expected);
                }
                numbers[i] = (int) number;
                before = number;
            }
            sink.accept(offset, numbers, count);
        }
    }
}
