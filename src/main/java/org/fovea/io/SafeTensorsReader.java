// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** A safetensors file whose header was read and checked, and whose tensors are read piece by piece, of whatever size. */
public final class SafeTensorsReader implements AutoCloseable {

    /** Longest header that the format allows. */
    public static final int MAX_HEADER_BYTES = 100_000_000;

    private final Path file;
    private final FileChannel channel;
    private final SafeTensorsHeader header;
    private final Map<String, SafeTensorsHeader.Entry> entries = new LinkedHashMap<>();
    private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();

    private SafeTensorsReader(Path file, FileChannel channel, SafeTensorsHeader header) {
        this.file = file;
        this.channel = channel;
        this.header = header;
        for (SafeTensorsHeader.Entry entry : header.entries()) {
            entries.put(entry.name(), entry);
            tensors.put(entry.name(), entry.info());
        }
    }

    /**
     * Opens a file. Nothing is allocated but for its header.
     *
     * @param maxHeaderBytes longest header to accept, at most {@link #MAX_HEADER_BYTES}
     * @throws CorruptFileException if the file breaks the format in any way, naming the tensor
     */
    public static SafeTensorsReader open(Path file, int maxHeaderBytes) throws IOException {
        FileChannel channel = channel(file);
        try {
            byte[] header = readHeader(file, channel, maxHeaderBytes);
            long data = channel.size() - Long.BYTES - header.length;
            return new SafeTensorsReader(file, channel, SafeTensorsHeader.parse(file, header, data));
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /**
     * What the writer of a file noted; its tensors are not looked at.
     *
     * @throws CorruptFileException if it has no header of the format
     */
    static Map<String, String> metadata(Path file) throws IOException {
        try (FileChannel channel = channel(file)) {
            return SafeTensorsHeader.metadata(file, readHeader(file, channel, MAX_HEADER_BYTES));
        }
    }

    private static FileChannel channel(Path file) throws IOException {
        // A named pipe would be waited for, without end if nobody writes to it; what is not there says so below.
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new CorruptFileException(file, "it is not a regular file");
        }
        return FileChannel.open(file, StandardOpenOption.READ);
    }

    private static byte[] readHeader(Path file, FileChannel channel, int maxBytes) throws IOException {
        long size = channel.size();
        if (size < Long.BYTES) {
            throw new CorruptFileException(file, "it ends within the header's length (" + size + " bytes)");
        }
        ByteBuffer lengthBytes = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        readFully(file, channel, lengthBytes, 0);
        long length = lengthBytes.getLong(0);
        if (length < 0 || length > maxBytes) {
            throw new CorruptFileException(
                    file,
                    "the header is said to have " + Long.toUnsignedString(length) + " bytes, at most " + maxBytes
                            + " are allowed");
        }
        if (length > size - Long.BYTES) {
            throw new CorruptFileException(
                    file, "the header is said to have " + length + " bytes, but the file has " + size);
        }
        ByteBuffer header = ByteBuffer.allocate((int) length);
        readFully(file, channel, header, Long.BYTES);
        return header.array();
    }

    /** The file that is read. */
    public Path file() {
        return file;
    }

    /** What there is, in the order of the file. */
    public Map<String, TensorInfo> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    /** What one tensor is. */
    public TensorInfo info(String tensor) {
        return entry(tensor).info();
    }

    private SafeTensorsHeader.Entry entry(String tensor) {
        SafeTensorsHeader.Entry entry = entries.get(tensor);
        if (entry == null) {
            throw new IllegalArgumentException(file + " has no tensor '" + tensor + "'");
        }
        return entry;
    }

    /** What the writer noted. */
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /**
     * Fills the rest of a buffer with bytes of a tensor, and leaves it ready to be read.
     *
     * @param offset of the first byte, from the start of the tensor
     * @throws IndexOutOfBoundsException if the tensor has no such bytes
     */
    public void read(String tensor, long offset, ByteBuffer target) throws IOException {
        SafeTensorsHeader.Entry entry = entry(tensor);
        long bytes = entry.end() - entry.begin();
        if (offset < 0 || offset + target.remaining() > bytes) {
            throw new IndexOutOfBoundsException("bytes " + offset + " to " + (offset + target.remaining())
                    + " of tensor '" + tensor + "', which has " + bytes);
        }
        readFully(file, channel, target, header.dataStart() + entry.begin() + offset);
    }

    private static void readFully(Path file, FileChannel channel, ByteBuffer bytes, long position) throws IOException {
        int start = bytes.position();
        while (bytes.hasRemaining()) {
            if (channel.read(bytes, position + bytes.position() - start) < 0) {
                throw new EOFException(file + " became shorter while it was read");
            }
        }
        bytes.flip().position(start);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
