// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.env.EnvironmentSpec;

/**
 * Episodes as arrays of NumPy in one file ({@code numpy.savez}), one row a step: {@code observations} [steps, ...], {@code actions} [steps] or
 * [steps, parts], {@code ends} [steps], not 0 in the last step of an episode; and if there are any {@code rewards} [steps] and {@code masks}
 * [steps, choices]. Elements are booleans, whole numbers or floats of 2 to 8 bytes. Whatever else there is is not looked at.
 */
final class NumpyArrays {
    private static final Pattern HEADER = Pattern.compile(
            "\\{\\s*'descr':\\s*'([<|=])([bif?u])(\\d)',\\s*'fortran_order':\\s*(True|False),\\s*'shape':\\s*\\(([\\d, ]*)\\),?\\s*\\}\\s*");
    private static final int LONGEST_HEADER = 1 << 16;
    private static final String OBSERVATIONS = "observations";
    private static final Set<String> ARRAYS = Set.of(OBSERVATIONS, "actions", "ends", "rewards", "masks");

    /** Of elements, each with its number of bytes. */
    private static final Set<String> TYPES =
            Set.of("b1", "?1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8");

    private final Path file;
    private final EnvironmentSpec.Spaces spaces;

    NumpyArrays(Path file, EnvironmentSpec.Spaces spaces) {
        this.file = file;
        this.spaces = spaces;
    }

    /** An array of any shape as doubles. */
    private record Array(String name, int[] shape, double[] numbers) {
        int rows() {
            return shape.length == 0 ? 0 : shape[0];
        }

        double[] row(int row) {
            int width = numbers.length / rows();
            return Arrays.copyOfRange(numbers, row * width, (row + 1) * width);
        }
    }

    Recording read() throws IOException {
        Map<String, Array> arrays = arrays();
        Array observations = required(arrays, OBSERVATIONS);
        Array actions = required(arrays, "actions");
        Array ends = required(arrays, "ends");
        Array rewards = arrays.get("rewards");
        Array masks = arrays.get("masks");
        int steps = observations.rows();
        if (steps == 0) {
            throw new RecordingException(file, where(OBSERVATIONS), "it has no step");
        }
        for (Array array : arrays.values()) {
            if (array.rows() != steps) {
                throw new RecordingException(
                        file,
                        where(array.name),
                        "its shape is " + Arrays.toString(array.shape) + ", expected " + steps + " rows, as many as '"
                                + OBSERVATIONS + "' has");
            }
        }
        requireOneEach(ends);
        if (rewards != null) {
            requireOneEach(rewards);
        }
        List<Recording.Episode> episodes = new ArrayList<>();
        EpisodeBuilder episode = new EpisodeBuilder(spaces);
        for (int step = 0; step < steps; step++) {
            String problem = episode.add(
                    observations.row(step),
                    actions.row(step),
                    masks == null ? null : truths(masks.row(step)),
                    rewards == null ? null : (Double) rewards.row(step)[0]);
            if (problem != null) {
                throw new RecordingException(file, "row " + step, problem);
            }
            if (ends.row(step)[0] != 0 || step + 1 == steps) {
                episodes.add(episode.build());
                episode = new EpisodeBuilder(spaces);
            }
        }
        return new Recording(spaces, List.copyOf(episodes));
    }

    /** Refuses an array of more or fewer numbers than one a step. */
    private void requireOneEach(Array array) throws RecordingException {
        if (array.numbers.length != array.rows()) {
            throw new RecordingException(
                    file,
                    where(array.name),
                    "its shape is " + Arrays.toString(array.shape) + ", expected [" + array.rows()
                            + "], one number for each step");
        }
    }

    private static boolean[] truths(double[] numbers) {
        boolean[] truths = new boolean[numbers.length];
        for (int i = 0; i < truths.length; i++) {
            truths[i] = numbers[i] != 0;
        }
        return truths;
    }

    private Array required(Map<String, Array> arrays, String name) throws RecordingException {
        Array array = arrays.get(name);
        if (array == null) {
            throw new RecordingException(
                    file,
                    "",
                    "it has no array '" + name + "', but " + arrays.keySet()
                            + "; expected are observations, actions, ends, and perhaps rewards and masks");
        }
        return array;
    }

    private Map<String, Array> arrays() throws IOException {
        Map<String, Array> arrays = new TreeMap<>();
        try (ZipFile zip = new ZipFile(file.toFile())) {
            for (ZipEntry entry : zip.stream().toList()) {
                String name = entry.getName().replaceFirst("\\.npy$", "");
                if (!ARRAYS.contains(name)) {
                    continue;
                }
                try (InputStream in = zip.getInputStream(entry)) {
                    arrays.put(name, array(name, new DataInputStream(in)));
                }
            }
        } catch (ZipException e) {
            throw new RecordingException(file, "", "it is no .npz file, which is a zip: " + e.getMessage());
        }
        return arrays;
    }

    private static String where(String name) {
        return "array '" + name + "'";
    }

    private Array array(String name, DataInputStream in) throws IOException {
        String where = where(name);
        try {
            byte[] magic = in.readNBytes(8);
            if (magic.length < 8 || !new String(magic, 1, 5, StandardCharsets.ISO_8859_1).equals("NUMPY")) {
                throw new RecordingException(file, where, "it is not in NumPy's format");
            }
            byte[] lengthBytes = in.readNBytes(magic[6] == 1 ? 2 : 4);
            ByteBuffer padded = ByteBuffer.wrap(Arrays.copyOf(lengthBytes, 4)).order(ByteOrder.LITTLE_ENDIAN);
            int length = padded.getInt(0);
            if (length < 0 || length > LONGEST_HEADER) {
                throw new RecordingException(file, where, "its header is said to have " + length + " bytes");
            }
            String header = new String(in.readNBytes(length), StandardCharsets.ISO_8859_1);
            Matcher matcher = HEADER.matcher(header);
            if (!matcher.matches() || matcher.group(4).equals("True")) {
                throw new RecordingException(
                        file,
                        where,
                        "it is " + header.strip()
                                + ", expected booleans, whole numbers or floats, little-endian, in C order"
                                + " (numpy.ascontiguousarray)");
            }
            int[] shape = Arrays.stream(matcher.group(5).split(","))
                    .map(String::strip)
                    .filter(size -> !size.isEmpty())
                    .mapToInt(Integer::parseInt)
                    .toArray();
            long elements = 1;
            for (int size : shape) {
                elements = Math.multiplyExact(elements, size);
            }
            String type = matcher.group(2) + matcher.group(3);
            if (!TYPES.contains(type)) {
                throw new RecordingException(
                        file,
                        where,
                        "its elements are of type " + type
                                + ", expected booleans, whole numbers of 1 to 8 bytes, or floats of 2, 4 or 8");
            }
            int bytes = Integer.parseInt(matcher.group(3));
            // Read before it is believed: a hostile header may claim what it likes.
            byte[] data = in.readNBytes(Math.toIntExact(Math.multiplyExact(elements, bytes)));
            if (data.length < elements * bytes) {
                throw new EOFException();
            }
            return new Array(name, shape, numbers(type, bytes, data));
        } catch (EOFException e) {
            throw new RecordingException(file, where, "it ends before its last number");
        } catch (ArithmeticException | NumberFormatException e) {
            throw new RecordingException(file, where, "it is larger than 2 GiB");
        }
    }

    private static double[] numbers(String type, int bytes, byte[] data) {
        ByteBuffer buffer = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
        double[] numbers = new double[data.length / bytes];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = number(type, buffer, i * bytes);
        }
        return numbers;
    }

    /** @param type one of {@link #TYPES} */
    private static double number(String type, ByteBuffer data, int at) {
        return switch (type) {
            case "b1", "?1", "i1" -> (double) data.get(at);
            case "u1" -> (double) (data.get(at) & 0xFF);
            case "i2" -> (double) data.getShort(at);
            case "u2" -> (double) (data.getShort(at) & 0xFFFF);
            case "i4" -> (double) data.getInt(at);
            case "u4" -> (double) (data.getInt(at) & 0xFFFFFFFFL);
            case "i8" -> (double) data.getLong(at);
            case "u8" -> unsigned(data.getLong(at));
            case "f2" -> (double) HalfPrecision.value(DType.F16, data.getShort(at));
            case "f4" -> (double) data.getFloat(at);
            case "f8" -> data.getDouble(at);
            default -> throw new AssertionError(type);
        };
    }

    private static double unsigned(long bits) {
        // Halved, which rounds the last bit the same way as the whole number would be.
        return bits >= 0 ? bits : 2.0 * (bits >>> 1 | bits & 1);
    }
}
