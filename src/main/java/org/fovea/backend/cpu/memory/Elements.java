// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.fovea.backend.memory.HalfPrecision;

/** Elements of arrays of any floating type as doubles. */
public final class Elements {

    private Elements() {}

    /** Element {@code index} of {@code array}. */
    public static double get(CpuArray array, int index) {
        int at = array.offset + index;
        return switch (array.dtype()) {
            case F32 -> array.floats[at];
            case F64 -> array.doubles[at];
            case BF16, F16 -> HalfPrecision.value(array.dtype(), array.shorts[at]);
            case I32 -> array.ints[at];
        };
    }

    /** Widens elements {@code [from, from + count)} of {@code source}. */
    public static void read(CpuArray source, int from, double[] target, int offset, int count) {
        int at = source.offset + from;
        switch (source.dtype()) {
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = source.floats[at + i];
                }
            }
            case F64 -> System.arraycopy(source.doubles, at, target, offset, count);
            case BF16, F16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = HalfPrecision.value(source.dtype(), source.shorts[at + i]);
                }
            }
            case I32 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = source.ints[at + i];
                }
            }
        }
    }

    /** Rounds {@code count} numbers to elements of {@code target} from {@code to} on. */
    public static void write(double[] source, int offset, CpuArray target, int to, int count) {
        int at = target.offset + to;
        switch (target.dtype()) {
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    target.floats[at + i] = (float) source[offset + i];
                }
            }
            case F64 -> System.arraycopy(source, offset, target.doubles, at, count);
            case BF16, F16 -> {
                for (int i = 0; i < count; i++) {
                    target.shorts[at + i] = HalfPrecision.bits(target.dtype(), source[offset + i]);
                }
            }
            case I32 -> throw new IllegalArgumentException("numbers can't be rounded to I32");
        }
    }

    /** Sets elements {@code [from, from + count)} of {@code target} to {@code value}, rounded. */
    public static void fill(CpuArray target, int from, int count, double value) {
        int at = target.offset + from;
        switch (target.dtype()) {
            case F32 -> Arrays.fill(target.floats, at, at + count, (float) value);
            case F64 -> Arrays.fill(target.doubles, at, at + count, value);
            case BF16, F16 -> Arrays.fill(target.shorts, at, at + count, HalfPrecision.bits(target.dtype(), value));
            case I32 -> Arrays.fill(target.ints, at, at + count, (int) value);
        }
    }

    /** Copies all elements of {@code target} as they lie in a buffer. */
    static void read(ByteBuffer source, CpuArray target) {
        int at = target.offset;
        int count = target.length;
        switch (target.dtype()) {
            case F32 -> source.asFloatBuffer().get(target.floats, at, count);
            case F64 -> source.asDoubleBuffer().get(target.doubles, at, count);
            case BF16, F16 -> source.asShortBuffer().get(target.shorts, at, count);
            case I32 -> source.asIntBuffer().get(target.ints, at, count);
        }
    }

    /** Copies all elements of {@code source} into a buffer as they lie. */
    static void write(CpuArray source, ByteBuffer target) {
        int at = source.offset;
        int count = source.length;
        switch (source.dtype()) {
            case F32 -> target.asFloatBuffer().put(source.floats, at, count);
            case F64 -> target.asDoubleBuffer().put(source.doubles, at, count);
            case BF16, F16 -> target.asShortBuffer().put(source.shorts, at, count);
            case I32 -> target.asIntBuffer().put(source.ints, at, count);
        }
    }

    /** Rounds every element of {@code source} to one of {@code target}; the two are equally long. */
    public static void convert(CpuArray source, CpuArray target) {
        if (source.dtype() == target.dtype()) {
            System.arraycopy(source.elements(), source.offset, target.elements(), target.offset, target.length);
            return;
        }
        double[] buffer = new double[Math.min(target.length, CHUNK)];
        for (int done = 0; done < target.length; done += CHUNK) {
            int count = Math.min(CHUNK, target.length - done);
            read(source, done, buffer, 0, count);
            write(buffer, 0, target, done, count);
        }
    }

    /** Elements converted at a time: a copy of all of a large array isn't needed. */
    private static final int CHUNK = 1 << 12;
}
