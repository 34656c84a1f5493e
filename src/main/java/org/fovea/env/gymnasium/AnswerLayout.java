// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.env.Schema;
import org.fovea.env.Space;

/**
 * Where everything is in the frame by which {@code count} environments answer a reset or a step:
 *
 * <ol>
 *   <li>int32 length of what follows, int32 {@link #OK} or, if some episode ended, {@link #ENDED};
 *   <li>float32 rewards;
 *   <li>observations' four-byte parts, [count, size] each: numbers as float32, choices as int32 from 0;
 *   <li>bytes: flags (1 terminated, 2 truncated), masks [count, choices], observations' bits and pixels, then up to a multiple of
 *       four;
 *   <li>where an episode ended, final observations: four-byte parts, then bytes, up to a multiple of four.
 * </ol>
 *
 * <p>Of a Python environment pixels are in a file that both processes map: progress of {@value #PROGRESS_BYTES} bytes, then those
 * of observations, then those of final ones.
 */
final class AnswerLayout {
    static final int OK = 0;
    static final int FAILED = 1;
    static final int ENDED = 2;
    static final int PROGRESS_BYTES = 16;
    static final byte TERMINATED = 1;
    static final byte TRUNCATED = 2;

    private enum Kind {
        NUMBERS,
        CHOICES,
        BITS,
        PIXELS
    }

    /**
     * A part of observations.
     *
     * @param at of its first number in an observation
     * @param from offset in bytes of its rows in the frame, or, for pixels that are in a file, there
     * @param fromFinal the same of final observations
     * @param size of its rows, in values
     * @param n of choices, how many there are
     * @param low of numbers, the bounds; those of entities are infinite
     */
    private record Part(
            Kind kind,
            Space space,
            int[] n,
            float[] low,
            float[] high,
            String path,
            int at,
            int from,
            int fromFinal,
            int size) {}

    private static final Space.Box UNBOUNDED = new Space.Box(1, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);

    private final int count;
    private final int observationSize;
    private final int maskSize;
    private final List<Part> parts = new ArrayList<>();
    private final int flagsAt;
    private final int length;
    private final int fullLength;
    private final int fileLength;
    private final byte[] bytes;

    /** @param maskSize 0 where every choice is always allowed */
    AnswerLayout(Space observations, int count, int maskSize, boolean pixelsInFile) {
        this.count = count;
        this.observationSize = observations.size();
        this.maskSize = maskSize;
        int words = 0;
        int small = 0;
        int pixels = 0;
        int largest = 0;
        Schema schema = Schema.of(observations);
        for (Schema.Leaf leaf : schema.leaves()) {
            int size = values(leaf.space());
            largest = Math.max(largest, size);
            switch (kind(leaf.space())) {
                case NUMBERS, CHOICES -> words += size;
                case BITS -> small += size;
                case PIXELS -> {
                    small += pixelsInFile ? 0 : size;
                    pixels += pixelsInFile ? size : 0;
                }
            }
        }
        int wordsAt = Frame.HEADER_BYTES + 4 * count;
        flagsAt = wordsAt + 4 * count * words;
        int smallAt = flagsAt + count * (1 + maskSize);
        length = flagsAt + padded(count * (1 + maskSize + small));
        int finalSmallAt = length + 4 * count * words;
        fullLength = finalSmallAt + padded(count * small);
        int pixelsAt = PROGRESS_BYTES;
        fileLength = PROGRESS_BYTES + 2 * count * pixels;
        bytes = new byte[largest];
        int wordsDone = 0;
        int smallDone = 0;
        for (Schema.Leaf leaf : schema.leaves()) {
            Kind kind = kind(leaf.space());
            int size = values(leaf.space());
            int from;
            int fromFinal;
            if (kind == Kind.PIXELS && pixelsInFile) {
                from = pixelsAt;
                fromFinal = pixelsAt + count * pixels;
                pixelsAt += count * size;
            } else if (kind == Kind.BITS || kind == Kind.PIXELS) {
                from = smallAt + smallDone;
                fromFinal = finalSmallAt + smallDone;
                smallDone += count * size;
            } else {
                from = wordsAt + wordsDone;
                fromFinal = length + wordsDone;
                wordsDone += 4 * count * size;
            }
            String path = leaf.path().isEmpty() || leaf.path().startsWith("[") ? leaf.path() : "." + leaf.path();
            Space.Box box = leaf.space() instanceof Space.Box itself ? itself : UNBOUNDED;
            int[] n = leaf.space() instanceof Space.Discrete discrete
                    ? new int[] {discrete.n()}
                    : leaf.space() instanceof Space.MultiDiscrete multi ? multi.n() : new int[0];
            parts.add(
                    new Part(kind, leaf.space(), n, box.low(), box.high(), path, leaf.offset(), from, fromFinal, size));
        }
    }

    private static int padded(int size) {
        return (size + 3) / 4 * 4;
    }

    private static Kind kind(Space leaf) {
        if (leaf instanceof Space.Discrete || leaf instanceof Space.MultiDiscrete) {
            return Kind.CHOICES;
        }
        if (leaf instanceof Space.Image) {
            return Kind.PIXELS;
        }
        return leaf instanceof Space.MultiBinary ? Kind.BITS : Kind.NUMBERS;
    }

    private static int values(Space leaf) {
        if (leaf instanceof Space.Discrete) {
            return 1;
        }
        return leaf instanceof Space.MultiDiscrete multi ? multi.n().length : leaf.size();
    }

    /** Bytes of a frame. */
    int length(boolean ended) {
        return ended ? fullLength : length;
    }

    /** Bytes of the file. */
    int fileLength() {
        return fileLength;
    }

    /** A frame to be written or read. */
    Frame newFrame() {
        return Frame.allocate(fullLength);
    }

    float reward(ByteBuffer frame, int i) {
        return frame.getFloat(Frame.HEADER_BYTES + 4 * i);
    }

    byte flag(ByteBuffer frame, int i) {
        return frame.get(flagsAt + i);
    }

    void putOutcome(ByteBuffer frame, int i, float reward, boolean terminated, boolean truncated) {
        frame.putFloat(Frame.HEADER_BYTES + 4 * i, reward);
        frame.put(flagsAt + i, terminated ? TERMINATED : truncated ? TRUNCATED : 0);
    }

    /** Reads the mask of environment {@code i} into row {@code row}. */
    void readMask(ByteBuffer frame, int i, boolean[] masks, int row) {
        int from = flagsAt + count + i * maskSize;
        for (int choice = 0; choice < maskSize; choice++) {
            masks[row * maskSize + choice] = frame.get(from + choice) != 0;
        }
    }

    void putMasks(ByteBuffer frame, boolean[] masks) {
        for (int j = 0; j < count * maskSize; j++) {
            frame.put(flagsAt + count + j, (byte) (masks[j] ? 1 : 0));
        }
    }

    /**
     * Reads the observation of environment {@code i} into row {@code row}.
     *
     * @param file with pixels; the frame where they are there
     * @throws IllegalArgumentException saying which element is outside of its space
     */
    void read(ByteBuffer frame, ByteBuffer file, boolean last, int i, float[] rows, int row) {
        for (Part part : parts) {
            int at = row * observationSize + part.at;
            int size = part.size;
            int from = last ? part.fromFinal : part.from;
            switch (part.kind) {
                case NUMBERS -> readNumbers(part, frame, from + 4 * i * size, rows, at);
                case CHOICES -> {
                    Arrays.fill(rows, at, at + part.space.size(), 0);
                    for (int j = 0, first = at; j < size; j++) {
                        int choices = part.n[j];
                        int choice = frame.getInt(from + 4 * (i * size + j));
                        if (choice < 0 || choice >= choices) {
                            int start = part.space instanceof Space.Discrete discrete ? discrete.start() : 0;
                            throw outside(part, size == 1 ? "" : "[" + j + "]", choice + start);
                        }
                        rows[first + choice] = 1;
                        first += choices;
                    }
                }
                case BITS -> {
                    frame.get(from + i * size, bytes, 0, size);
                    for (int j = 0; j < size; j++) {
                        if ((bytes[j] & ~1) != 0) {
                            throw outside(part, "[" + j + "]", bytes[j] & 0xff);
                        }
                        rows[at + j] = bytes[j];
                    }
                }
                case PIXELS -> {
                    file.get(from + i * size, bytes, 0, size);
                    for (int j = 0; j < size; j++) {
                        rows[at + j] = bytes[j] & 0xff;
                    }
                }
            }
        }
    }

    private static void readNumbers(Part part, ByteBuffer frame, int from, float[] rows, int at) {
        for (int j = 0; j < part.size; j++) {
            float value = frame.getFloat(from + 4 * j);
            if (!Float.isFinite(value)) {
                throw new IllegalArgumentException("observation" + part.path + "[" + j + "] is " + value);
            }
            if (value < part.low[j] || value > part.high[j]) {
                throw outside(part, "[" + j + "]", value);
            }
            rows[at + j] = value;
        }
    }

    private static IllegalArgumentException outside(Part part, String element, Number value) {
        String space = part.space.toString();
        return new IllegalArgumentException("observation" + part.path + element + " is " + value
                + ", outside of its space " + (space.length() > 200 ? space.substring(0, 200) + "..." : space));
    }

    /** Writes row {@code i}. */
    void put(ByteBuffer frame, boolean last, int i, float[] rows) {
        for (Part part : parts) {
            int at = i * observationSize + part.at;
            int size = part.size;
            int from = last ? part.fromFinal : part.from;
            switch (part.kind) {
                case NUMBERS -> {
                    for (int j = 0; j < size; j++) {
                        frame.putFloat(from + 4 * (i * size + j), rows[at + j]);
                    }
                }
                case CHOICES -> {
                    for (int j = 0, first = at; j < size; j++) {
                        int choices = part.n[j];
                        int choice = 0;
                        while (choice < choices - 1 && rows[first + choice] == 0) {
                            choice++;
                        }
                        frame.putInt(from + 4 * (i * size + j), choice);
                        first += choices;
                    }
                }
                case BITS, PIXELS -> {
                    for (int j = 0; j < size; j++) {
                        frame.put(from + i * size + j, (byte) rows[at + j]);
                    }
                }
            }
        }
    }
}
