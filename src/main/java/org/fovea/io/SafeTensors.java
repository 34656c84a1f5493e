package org.fovea.io;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The safetensors format: the length of a JSON header (8 bytes, little-endian), the header, which gives each tensor's
 * type, shape and place, and the tensors' bytes without gaps. Source: the specification at
 * github.com/huggingface/safetensors.
 */
public final class SafeTensors {
    private static final String METADATA = SafeTensorsHeader.METADATA;
    private static final int ALIGNMENT = 8;

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
        // Widest elements first, so that every tensor is aligned to its elements.
        List<Map.Entry<String, TensorData>> ordered = tensors.entrySet().stream()
                .sorted(Comparator.comparingInt((Map.Entry<String, TensorData> entry) ->
                                -entry.getValue().type().bytes())
                        .thenComparing(Map.Entry.comparingByKey()))
                .toList();
        byte[] header = header(ordered, new TreeMap<>(metadata));
        ByteBuffer length =
                ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length);
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            writeFully(channel, length);
            writeFully(channel, ByteBuffer.wrap(header));
            for (Map.Entry<String, TensorData> entry : ordered) {
                writeFully(channel, entry.getValue().data());
            }
        } catch (IOException e) {
            throw new IOException("cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    private static byte[] header(List<Map.Entry<String, TensorData>> tensors, Map<String, String> metadata)
            throws IOException {
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        try (JsonGenerator json = new JsonFactory().createGenerator(header, JsonEncoding.UTF8)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart(METADATA);
                for (Map.Entry<String, String> entry : metadata.entrySet()) {
                    json.writeStringField(entry.getKey(), entry.getValue());
                }
                json.writeEndObject();
            }
            long offset = 0;
            for (Map.Entry<String, TensorData> entry : tensors) {
                if (entry.getKey().equals(METADATA)) {
                    throw new IllegalArgumentException("a tensor cannot be called " + METADATA);
                }
                TensorData tensor = entry.getValue();
                long end = offset + tensor.data().remaining();
                json.writeObjectFieldStart(entry.getKey());
                json.writeStringField("dtype", tensor.type().name());
                json.writeFieldName("shape");
                json.writeArray(tensor.shape(), 0, tensor.shape().length);
                json.writeFieldName("data_offsets");
                json.writeArray(new long[] {offset, end}, 0, 2);
                json.writeEndObject();
                offset = end;
            }
            json.writeEndObject();
        }
        while (header.size() % ALIGNMENT != 0) {
            header.write(' ');
        }
        return header.toByteArray();
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
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            SafeTensorsHeader header = readHeader(file, channel);
            Map<String, TensorData> tensors = new LinkedHashMap<>();
            for (SafeTensorsHeader.Entry entry : header.entries()) {
                if (entry.end() - entry.begin() > Integer.MAX_VALUE) {
                    throw new IOException(file + ": tensor '" + entry.name() + "' has 2 GiB or more");
                }
                ByteBuffer data = ByteBuffer.allocate((int) (entry.end() - entry.begin()));
                readFully(channel, data, header.dataStart() + entry.begin());
                tensors.put(entry.name(), new TensorData(entry.type(), entry.shape(), data));
            }
            return new Contents(tensors, header.metadata());
        }
    }

    private static SafeTensorsHeader readHeader(Path file, FileChannel channel) throws IOException {
        long size = channel.size();
        if (size < Long.BYTES) {
            throw new CorruptFileException(file, "it ends within the header's length (" + size + " bytes)");
        }
        ByteBuffer lengthBytes = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        readFully(channel, lengthBytes, 0);
        long length = lengthBytes.getLong(0);
        if (length < 0 || length > SafeTensorsHeader.MAX_BYTES) {
            throw new CorruptFileException(
                    file,
                    "the header is said to have " + Long.toUnsignedString(length) + " bytes, at most "
                            + SafeTensorsHeader.MAX_BYTES + " are allowed");
        }
        if (length > size - Long.BYTES) {
            throw new CorruptFileException(
                    file, "the header is said to have " + length + " bytes, but the file has " + size);
        }
        ByteBuffer header = ByteBuffer.allocate((int) length);
        readFully(channel, header, Long.BYTES);
        return SafeTensorsHeader.parse(file, header.array(), size - Long.BYTES - length);
    }

    /** Fills the buffer from a place in the file, and leaves it ready to be read. */
    private static void readFully(FileChannel channel, ByteBuffer bytes, long position) throws IOException {
        while (bytes.hasRemaining()) {
            if (channel.read(bytes, position + bytes.position()) < 0) {
                throw new EOFException("the file became shorter while it was read");
            }
        }
        bytes.flip();
    }
}
