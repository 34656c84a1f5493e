// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The safetensors format: the length of a JSON header (8 bytes, little-endian), the header, which gives each tensor's
 * type, shape and place, and the tensors' bytes without gaps. Source: the specification at
 * github.com/huggingface/safetensors.
 */
public final class SafeTensors {
    private SafeTensors() {}

    /** What a file holds. */
    public record Contents(Map<String, TensorData> tensors, Map<String, String> metadata) {}

    /**
     * Writes a file, replacing what was there. The order of the maps does not change the bytes.
     *
     * @throws IllegalArgumentException if a tensor is called {@code __metadata__}
     * @throws IOException naming the file if it cannot be written
     */
    public static void write(Path file, Map<String, TensorData> tensors, Map<String, String> metadata)
            throws IOException {
        Map<String, TensorInfo> infos = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> infos.put(name, new TensorInfo(tensor.type(), tensor.shape())));
        SafeTensorsLayout layout = SafeTensorsLayout.of(infos, metadata);
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            writeFully(channel, ByteBuffer.wrap(layout.prefix()));
            for (SafeTensorsHeader.Entry entry : layout.entries()) {
                writeFully(
                        channel,
                        Objects.requireNonNull(tensors.get(entry.name())).data());
            }
        } catch (IOException e) {
            throw new IOException("cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /**
     * Reads a file. Nothing is allocated for a tensor before the file is known to hold it.
     *
     * @throws CorruptFileException if the file breaks the format in any way, naming the tensor
     */
    public static Contents read(Path file) throws IOException {
        try (SafeTensorsReader reader = SafeTensorsReader.open(file, SafeTensorsReader.MAX_HEADER_BYTES)) {
            Map<String, TensorData> tensors = new LinkedHashMap<>();
            for (Map.Entry<String, TensorInfo> entry : reader.tensors().entrySet()) {
                TensorInfo info = entry.getValue();
                if (info.bytes() > Integer.MAX_VALUE) {
                    throw new IOException(file + ": tensor '" + entry.getKey() + "' has 2 GiB or more");
                }
                ByteBuffer data = ByteBuffer.allocate((int) info.bytes());
                reader.read(entry.getKey(), 0, data);
                tensors.put(entry.getKey(), new TensorData(info.type(), info.shape(), data));
            }
            return new Contents(tensors, reader.metadata());
        }
    }
}
