// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Writes a safetensors file piece by piece, under a temporary name in the same directory. Only {@link #commit} gives it its name,
 * and replaces what was there; closed without that, also by an exit of the virtual machine, it leaves nothing.
 */
public final class SafeTensorsWriter implements AutoCloseable {
    /** Temporary files to be deleted if the virtual machine exits: fewer than {@link java.io.File#deleteOnExit} would keep. */
    private static final Set<Path> OPEN = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> OPEN.forEach(SafeTensorsWriter::delete), "temporary files"));
    }

    private final Path target;
    private final Path temporary;
    private final FileChannel channel;
    private final long dataStart;
    private final Map<String, SafeTensorsHeader.Entry> entries = new HashMap<>();

    private SafeTensorsWriter(Path target, Path temporary, FileChannel channel, SafeTensorsLayout layout) {
        this.target = target;
        this.temporary = temporary;
        this.channel = channel;
        dataStart = layout.prefix().length;
        layout.entries().forEach(entry -> entries.put(entry.name(), entry));
    }

    /**
     * Begins a file.
     *
     * @param tensors all that it is going to hold; what is never written is 0
     * @throws IllegalArgumentException if a tensor is called {@code __metadata__}
     * @throws IOException naming the file if it cannot be written
     */
    public static SafeTensorsWriter create(Path target, Map<String, TensorInfo> tensors, Map<String, String> metadata)
            throws IOException {
        SafeTensorsLayout layout = SafeTensorsLayout.of(tensors, metadata);
        Path file = target.toAbsolutePath();
        Path temporary = file.resolveSibling(".fovea-"
                + Long.toHexString(ProcessHandle.current().pid()) + Long.toHexString(System.nanoTime()) + ".tmp");
        SafeTensorsWriter writer = null;
        try {
            FileChannel channel = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            OPEN.add(temporary);
            writer = new SafeTensorsWriter(target, temporary, channel, layout);
            writer.writeFully(ByteBuffer.wrap(layout.prefix()), 0);
            writer.extend(layout);
            return writer;
        } catch (IOException e) {
            if (writer != null) {
                writer.close();
            }
            throw failure(target, e);
        }
    }

    /** Makes the file as long as it is going to be, in case its last tensors are not written. */
    private void extend(SafeTensorsLayout layout) throws IOException {
        if (!layout.entries().isEmpty()) {
            long end = layout.entries().get(layout.entries().size() - 1).end();
            if (end > 0) {
                writeFully(ByteBuffer.allocate(1), dataStart + end - 1);
            }
        }
    }

    /**
     * Writes bytes of a tensor.
     *
     * @param offset of the first byte, from the start of the tensor
     * @throws IndexOutOfBoundsException if the tensor has no such bytes
     * @throws IOException naming the file if it cannot be written
     */
    public void write(String tensor, long offset, ByteBuffer bytes) throws IOException {
        SafeTensorsHeader.Entry entry = entries.get(tensor);
        if (entry == null) {
            throw new IllegalArgumentException("tensor '" + tensor + "' is not in the header of " + target);
        }
        if (offset < 0 || offset + bytes.remaining() > entry.end() - entry.begin()) {
            throw new IndexOutOfBoundsException("bytes " + offset + " to " + (offset + bytes.remaining())
                    + " of tensor '" + tensor + "', which has " + (entry.end() - entry.begin()));
        }
        try {
            writeFully(bytes, dataStart + entry.begin() + offset);
        } catch (IOException e) {
            throw failure(target, e);
        }
    }

    private void writeFully(ByteBuffer bytes, long position) throws IOException {
        long next = position;
        while (bytes.hasRemaining()) {
            next += channel.write(bytes, next);
        }
    }

    /** Gives the file its name. */
    public void commit() throws IOException {
        try {
            channel.close();
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            OPEN.remove(temporary);
        } catch (IOException e) {
            throw failure(target, e);
        }
    }

    private static IOException failure(Path target, IOException cause) {
        // Of what happened to the temporary file its name is of no interest.
        String reason = cause instanceof FileSystemException file && file.getReason() != null
                ? file.getReason()
                : cause instanceof FileSystemException ? cause.getClass().getSimpleName() : cause.getMessage();
        return new IOException("cannot write " + target + ": " + reason, cause);
    }

    /** Deletes the file unless it was committed. */
    @Override
    public void close() throws IOException {
        channel.close();
        Files.deleteIfExists(temporary);
        OPEN.remove(temporary);
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The virtual machine exits, and there is nobody left to tell.
            return;
        }
    }
}
