// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.io.TensorType;

/** The binary form of numbers in a file. */
final class Encoding {
    private Encoding() {}

    /** A little-endian buffer for so many numbers. */
    static ByteBuffer buffer(TensorType type, int count) {
        return ByteBuffer.allocate(type.bytes() * count).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Reads numbers from the buffer's position on; of truths, 1 for what isn't 0. */
    static void decode(TensorType type, ByteBuffer bytes, double[] target, int at, int count) {
        for (int i = at; i < at + count; i++) {
            target[i] = switch (type) {
                case F64 -> bytes.getDouble();
                case F32 -> bytes.getFloat();
                case F16 -> HalfPrecision.value(DType.F16, bytes.getShort());
                case BF16 -> HalfPrecision.value(DType.BF16, bytes.getShort());
                case BOOL -> bytes.get() == 0 ? 0 : 1;
                default ->
                    throw new IllegalArgumentException(type + " is not a type of numbers that are computed with");
            };
        }
    }

    /** Writes numbers at the buffer's position, rounded to nearest. */
    static void encode(TensorType type, double[] source, int count, ByteBuffer bytes) {
        for (int i = 0; i < count; i++) {
            switch (type) {
                case F64 -> bytes.putDouble(source[i]);
                case F32 -> bytes.putFloat((float) source[i]);
                case F16 -> bytes.putShort(HalfPrecision.bits(DType.F16, source[i]));
                case BF16 -> bytes.putShort(HalfPrecision.bits(DType.BF16, source[i]));
                default -> throw new IllegalArgumentException(type + " is not a type of results");
            }
        }
    }
}
