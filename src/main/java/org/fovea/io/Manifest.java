// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

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
    private static final ObjectMapper JSON = new ObjectMapper();

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
        ObjectNode root = JSON.createObjectNode();
        root.put("format", FORMAT).put("step", step);
        ObjectNode entries = root.putObject("files");
        files.forEach((name, digest) ->
                entries.putObject(name).put("bytes", digest.bytes()).put("crc32c", digest.crc32c()));
        Files.write(
                directory.resolve(FILE_NAME),
                JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root));
    }

    /** Reads the manifest of a directory, whose files are yet to be verified. */
    static Manifest read(Path directory) throws IOException {
        Path file = directory.resolve(FILE_NAME);
        if (!Files.isRegularFile(file)) {
            throw new CorruptFileException(file, "it is missing");
        }
        JsonNode root;
        try {
            root = JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new CorruptFileException(file, "it is not valid JSON: " + e.getOriginalMessage(), e);
        }
        int format = root.path("format").asInt(-1);
        if (format != FORMAT) {
            throw new CorruptFileException(file, "its format is " + format + ", expected " + FORMAT);
        }
        Map<String, FileDigest> files = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : root.path("files").properties()) {
            JsonNode bytes = entry.getValue().path("bytes");
            JsonNode crc = entry.getValue().path("crc32c");
            if (!bytes.isIntegralNumber() || !crc.isIntegralNumber() || !isFileName(entry.getKey())) {
                throw new CorruptFileException(file, "its entry for '" + entry.getKey() + "' is not one");
            }
            files.put(entry.getKey(), new FileDigest(bytes.asLong(), crc.asLong()));
        }
        JsonNode step = root.path("step");
        if (!step.isIntegralNumber()) {
            throw new CorruptFileException(file, "its step is not a whole number");
        }
        return new Manifest(step.asLong(), files);
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
