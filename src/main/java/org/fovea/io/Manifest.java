// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The contents of a checkpoint's directory, as listed in its {@code manifest.json}.
 *
 * @param step of the checkpoint
 * @param files size and checksum by file name
 */
record Manifest(long step, Map<String, FileDigest> files) {
    static final String FILE_NAME = "manifest.json";
    private static final int FORMAT = 1;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]*");

    /** A file's length and CRC-32C. */
    record FileDigest(long bytes, long crc32c) {

        static FileDigest of(Path file) throws IOException {
            CRC32C crc = new CRC32C();
            byte[] buffer = new byte[1 << 16];
            long bytes = 0;
            try (InputStream in = Files.newInputStream(file)) {
                for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                    crc.update(buffer, 0, read);
                    bytes += read;
                }
            }
            return new FileDigest(bytes, crc.getValue());
        }
    }

    /** Whether a file of a checkpoint may be called so. */
    static boolean isFileName(String name) {
        return NAME.matcher(name).matches();
    }

    void write(Path directory) throws IOException {
        String entries = files.entrySet().stream()
                .map(entry -> "    " + JsonReader.quoted(entry.getKey()) + " : {\n      \"bytes\" : "
                        + entry.getValue().bytes() + ",\n      \"crc32c\" : "
                        + entry.getValue().crc32c() + "\n    }")
                .collect(Collectors.joining(",\n"));
        Files.writeString(
                directory.resolve(FILE_NAME),
                "{\n  \"format\" : " + FORMAT + ",\n  \"step\" : " + step + ",\n  \"files\" : {\n" + entries
                        + "\n  }\n}");
    }

    /** Reads the manifest of a directory, whose files are yet to be verified. */
    static Manifest read(Path directory) throws IOException {
        Path file = directory.resolve(FILE_NAME);
        if (!Files.isRegularFile(file)) {
            throw new CorruptFileException(file, "it is missing");
        }
        long format = -1;
        long step = -1;
        Map<String, FileDigest> files = new TreeMap<>();
        try {
            JsonReader json = JsonReader.of(Files.readAllBytes(file));
            json.beginObject();
            for (String name = json.nextName(); name != null; name = json.nextName()) {
                switch (name) {
                    case "format" -> format = json.wholeNumber();
                    case "step" -> step = json.wholeNumber();
                    case "files" -> {
                        json.beginObject();
                        for (String of = json.nextName(); of != null; of = json.nextName()) {
                            files.put(of, digest(file, of, json));
                        }
                    }
                    default -> json.skip();
                }
            }
        } catch (JsonReader.SyntaxException e) {
            throw new CorruptFileException(file, "it is not valid JSON: " + e.getMessage(), e);
        } catch (CharacterCodingException e) {
            throw new CorruptFileException(file, "it is not UTF-8", e);
        }
        if (format != FORMAT) {
            throw new CorruptFileException(file, "its format is " + format + ", expected " + FORMAT);
        }
        if (step < 0) {
            throw new CorruptFileException(file, "its step is not a whole number");
        }
        return new Manifest(step, files);
    }

    private static FileDigest digest(Path file, String name, JsonReader json) throws IOException {
        @Nullable Long bytes = null;
        @Nullable Long crc32c = null;
        json.beginObject();
        for (String of = json.nextName(); of != null; of = json.nextName()) {
            switch (of) {
                case "bytes" -> bytes = json.wholeNumber();
                case "crc32c" -> crc32c = json.wholeNumber();
                default -> json.skip();
            }
        }
        if (bytes == null || crc32c == null || !isFileName(name)) {
            throw new CorruptFileException(file, "its entry for '" + name + "' is not one");
        }
        return new FileDigest(bytes, crc32c);
    }

    /** Compares every file of the directory with its entry. */
    void verify(Path directory) throws IOException {
        for (Map.Entry<String, FileDigest> entry : files.entrySet()) {
            Path file = directory.resolve(entry.getKey());
            FileDigest expected = entry.getValue();
            if (!Files.isRegularFile(file)) {
                throw new CorruptFileException(file, "it is missing");
            }
            long bytes = Files.size(file);
            if (bytes != expected.bytes()) {
                throw new CorruptFileException(file, "it has " + bytes + " bytes, not " + expected.bytes());
            }
            if (!FileDigest.of(file).equals(expected)) {
                throw new CorruptFileException(file, "its checksum is not the one in " + FILE_NAME);
            }
        }
    }
}
