// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.OutOfDeviceMemoryException;
import org.fovea.backend.memory.Scope;
import org.fovea.io.CorruptFileException;
import org.fovea.io.SafeTensorsReader;
import org.fovea.io.TensorType;

/**
 * Attention of tensors in a safetensors file: which there may be, and what comes of them, is in {@code docs/attention.md}.
 * Opening it checks all that can be told from the file's header.
 */
public final class AttentionOperator implements AutoCloseable {
    /** Enough for every tensor of every order, and little to parse for a file that means ill. */
    private static final int MAX_HEADER_BYTES = 1 << 20;

    private final SafeTensorsReader reader;
    private final Request request;

    private AttentionOperator(SafeTensorsReader reader, Request request) {
        this.reader = reader;
        this.request = request;
    }

    /**
     * Opens a request.
     *
     * @throws InvalidRequestException if the file can't be read, is damaged, or asks for what can't be
     */
    public static AttentionOperator open(Path file, AttentionSettings settings) throws IOException {
        SafeTensorsReader reader = read(file);
        try {
            return new AttentionOperator(reader, Request.check(reader, settings));
        } catch (RuntimeException e) {
            reader.close();
            throw e;
        }
    }

    private static SafeTensorsReader read(Path file) {
        requireName(file, "input");
        if (!Files.exists(file)) {
            throw new InvalidRequestException("there is no file " + file);
        }
        if (!Files.isRegularFile(file)) {
            throw new InvalidRequestException(file + " is not a file of tensors");
        }
        try {
            return SafeTensorsReader.open(file, MAX_HEADER_BYTES);
        } catch (CorruptFileException e) {
            throw new InvalidRequestException(String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            String reason = e instanceof FileSystemException ? e.getClass().getSimpleName() : e.getMessage();
            throw new InvalidRequestException("cannot read " + file + ": " + reason, e);
        }
    }

    /** Whether the operands are float64, which only the CPU computes on. */
    public boolean isDouble() {
        return request.type() == TensorType.F64;
    }

    /** What of the request could have meant something else, a line each. */
    public List<String> notes() {
        return request.notes();
    }

    /**
     * Computes the answer and writes it to a file, which appears, or is replaced, when all of it is written.
     *
     * @throws InvalidRequestException if a number of the request is not as it must be, or there is not enough memory
     * @throws IOException naming the file if it cannot be written
     */
    public void run(Backend backend, Path output) throws IOException {
        Path target = target(output);
        try (Scope scope = backend.memory().openScope()) {
            Computation.of(request, backend, scope).write(target);
        } catch (OutOfDeviceMemoryException e) {
            throw new InvalidRequestException("there is not enough memory for this request: " + e.getMessage(), e);
        } catch (OutOfMemoryError e) {
            throw new InvalidRequestException(
                    "there is not enough memory for this request: Java may use "
                            + Runtime.getRuntime().maxMemory() + " bytes (raise it with -Xmx)",
                    e);
        }
    }

    /**
     * Where the answer is to be moved, found out before anything is computed.
     *
     * @throws InvalidRequestException if no file can be there
     */
    public static Path target(Path output) throws IOException {
        requireName(output, "output");
        boolean exists = Files.exists(output);
        if (exists && !Files.isRegularFile(output)) {
            throw new InvalidRequestException("cannot write " + output + ": it is there and not a file");
        }
        // A link stays one, and leads to the answer.
        Path target = exists ? output.toRealPath() : output.toAbsolutePath();
        Path directory = target.getParent();
        if (target.getFileName() == null || directory == null || !Files.isDirectory(directory)) {
            throw new InvalidRequestException("cannot write " + output + ": there is no directory " + directory);
        }
        if (!Files.isWritable(directory)) {
            throw new InvalidRequestException("cannot write " + output + ": " + directory + " is not writable");
        }
        return target;
    }

    /** The empty path would be the current directory. */
    private static void requireName(Path path, String kind) {
        if (path.toString().isEmpty()) {
            throw new InvalidRequestException("the name of the " + kind + " is empty");
        }
    }

    @Override
    public void close() throws IOException {
        reader.close();
    }
}
