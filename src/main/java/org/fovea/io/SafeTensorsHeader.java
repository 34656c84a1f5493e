// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The JSON header of a safetensors file, checked.
 *
 * @param entries the tensors in the order of their bytes, which cover the data without gap or overlap
 * @param metadata what the writer noted
 * @param dataStart where in the file the data begins
 */
record SafeTensorsHeader(List<Entry> entries, Map<String, String> metadata, long dataStart) {
    static final String METADATA = "__metadata__";

    /** No tensor has more dimensions; a hostile file would like to fill the memory with them. */
    private static final int MAX_RANK = 64;

    /** A longer name is shortened where it is shown. */
    private static final int MAX_SHOWN = 100;

    /** A tensor and where its bytes are in the data. */
    record Entry(String name, TensorInfo info, long begin, long end) {}

    /**
     * Reads and checks a header.
     *
     * @param file for messages
     * @param dataLength bytes that follow the header
     * @throws CorruptFileException if anything is wrong
     */
    static SafeTensorsHeader parse(Path file, byte[] header, long dataLength) throws IOException {
        List<Entry> entries = new ArrayList<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        try {
            require(file, header.length > 0 && header[0] == '{', "the header does not start with '{'");
            // That of UTF-16 or UTF-32.
            require(file, header.length == 1 || header[1] != 0, "the header is not UTF-8");
            JsonReader json = JsonReader.of(header);
            json.beginObject();
            for (String name = json.nextName(); name != null; name = json.nextName()) {
                if (name.equals(METADATA)) {
                    parseMetadata(file, json, metadata);
                } else {
                    entries.add(parseEntry(file, json, name));
                }
            }
            require(
                    file,
                    json.isAtEnd(),
                    "the header is not valid JSON, or not JSON alone: something follows its last '}'");
        } catch (JsonReader.SyntaxException e) {
            throw new CorruptFileException(file, "the header is not valid JSON: " + shown(e.getMessage()), e);
        } catch (CharacterCodingException e) {
            throw new CorruptFileException(file, "the header is not UTF-8", e);
        }
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        checkCoverage(file, entries, dataLength);
        return new SafeTensorsHeader(entries, metadata, Long.BYTES + (long) header.length);
    }

    /**
     * What the writer noted, of a header of which nothing else is looked at; it comes first in files that {@link SafeTensorsWriter}
     * makes, whose other entries are then not even read.
     */
    static Map<String, String> metadata(Path file, byte[] header) throws IOException {
        Map<String, String> metadata = new LinkedHashMap<>();
        try {
            JsonReader json = JsonReader.of(header);
            json.beginObject();
            for (String name = json.nextName(); name != null; name = json.nextName()) {
                if (name.equals(METADATA)) {
                    parseMetadata(file, json, metadata);
                    break;
                }
                json.skip();
            }
        } catch (JsonReader.SyntaxException e) {
            throw new CorruptFileException(file, "the header is not valid JSON: " + shown(e.getMessage()), e);
        } catch (CharacterCodingException e) {
            throw new CorruptFileException(file, "the header is not UTF-8", e);
        }
        return metadata;
    }

    private static void parseMetadata(Path file, JsonReader json, Map<String, String> metadata) throws IOException {
        require(file, json.peek() == JsonReader.Kind.OBJECT, METADATA + " is not an object");
        json.beginObject();
        for (String key = json.nextName(); key != null; key = json.nextName()) {
            if (json.peek() != JsonReader.Kind.STRING) {
                throw new CorruptFileException(file, METADATA + " entry '" + shown(key) + "' is not a string");
            }
            metadata.put(key, json.string());
        }
    }

    private static Entry parseEntry(Path file, JsonReader json, String name) throws IOException {
        String tensor = tensor(name);
        require(file, json.peek() == JsonReader.Kind.OBJECT, tensor + "its entry is not an object");
        json.beginObject();
        TensorType type = null;
        long[] shape = null;
        long[] offsets = null;
        for (String key = json.nextName(); key != null; key = json.nextName()) {
            switch (key) {
                case "dtype" -> type = parseType(file, json, tensor);
                case "shape" -> shape = parseNumbers(file, json, tensor + "shape");
                case "data_offsets" -> offsets = parseNumbers(file, json, tensor + "data_offsets");
                default -> json.skip();
            }
        }
        if (type == null || shape == null || offsets == null) {
            throw new CorruptFileException(file, tensor + "dtype, shape or data_offsets is missing");
        }
        require(
                file,
                offsets.length == 2 && offsets[0] <= offsets[1],
                tensor + "data_offsets " + Arrays.toString(offsets) + " are not [begin, end]");
        long bytes;
        try {
            bytes = TensorData.byteCount(type, shape);
        } catch (IllegalArgumentException e) {
            throw new CorruptFileException(file, tensor + e.getMessage(), e);
        }
        require(
                file,
                bytes == offsets[1] - offsets[0],
                tensor + type + Arrays.toString(shape) + " takes " + bytes + " bytes, but data_offsets "
                        + Arrays.toString(offsets) + " hold " + (offsets[1] - offsets[0]));
        return new Entry(name, new TensorInfo(type, shape), offsets[0], offsets[1]);
    }

    private static TensorType parseType(Path file, JsonReader json, String tensor) throws IOException {
        JsonReader.Kind kind = json.peek();
        String name = null;
        if (kind == JsonReader.Kind.STRING) {
            name = json.string();
        } else if (kind == JsonReader.Kind.NUMBER) {
            name = json.number();
        } else {
            json.skip();
        }
        for (TensorType type : TensorType.values()) {
            if (type.name().equals(name)) {
                return type;
            }
        }
        throw new CorruptFileException(
                file,
                tensor + "unknown dtype '" + shown(name) + "', expected one of "
                        + Arrays.toString(TensorType.values()));
    }

    private static long[] parseNumbers(Path file, JsonReader json, String what) throws IOException {
        require(file, json.peek() == JsonReader.Kind.ARRAY, what + " is not an array");
        json.beginArray();
        long[] numbers = new long[4];
        int count = 0;
        while (json.nextElement()) {
            String number = json.peek() == JsonReader.Kind.NUMBER ? json.number() : "";
            long value = wholeNumber(number);
            require(file, value >= 0, what + " has an element that is not a whole number from 0 to 2^63 - 1");
            require(file, count < MAX_RANK, what + " has more than " + MAX_RANK + " elements");
            if (count == numbers.length) {
                numbers = Arrays.copyOf(numbers, 2 * count);
            }
            numbers[count++] = value;
        }
        return Arrays.copyOf(numbers, count);
    }

    /** -1 for what is none, or too large. */
    private static long wholeNumber(String number) {
        try {
            return number.chars().allMatch(digit -> digit >= '0' && digit <= '9') ? Long.parseLong(number) : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    private static void checkCoverage(Path file, List<Entry> entries, long dataLength) throws IOException {
        long covered = 0;
        for (Entry entry : entries) {
            String tensor = tensor(entry.name());
            require(
                    file,
                    entry.end() <= dataLength,
                    tensor + "its bytes end at " + entry.end() + ", but only " + dataLength + " follow the header");
            require(
                    file,
                    entry.begin() == covered,
                    tensor + "its bytes start at " + entry.begin() + ", those before it end at " + covered);
            covered = entry.end();
        }
        require(
                file,
                covered == dataLength,
                "its tensors end at " + covered + ", but " + dataLength + " bytes follow the header");
    }

    private static String tensor(String name) {
        return "tensor '" + shown(name) + "': ";
    }

    /** A text of the file for a message. */
    private static String shown(@Nullable String text) {
        return text == null || text.length() <= MAX_SHOWN ? String.valueOf(text) : text.substring(0, MAX_SHOWN) + "...";
    }

    private static void require(Path file, boolean condition, String problem) throws CorruptFileException {
        if (!condition) {
            throw new CorruptFileException(file, problem);
        }
    }
}
