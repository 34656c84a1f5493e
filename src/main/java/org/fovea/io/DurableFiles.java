// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Operations on files and directories that survive a stop of the machine at any moment, or follow one. */
public final class DurableFiles {
    private DurableFiles() {}

    /** Returns once a file, or the names in a directory, are on the disk. */
    static void sync(Path path) throws IOException {
        StandardOpenOption option = Files.isDirectory(path) ? StandardOpenOption.READ : StandardOpenOption.WRITE;
        try (FileChannel channel = FileChannel.open(path, option)) {
            channel.force(true);
        }
    }

    /**
     * Writes a file under a temporary name in its directory, then gives it its name: what was there is replaced, or left as it was.
     *
     * @throws IOException naming the file if it cannot be written
     */
    public static void write(Path target, byte[] content) throws IOException {
        Path file = target.toAbsolutePath();
        Path directory = file.getParent();
        if (directory == null || !Files.isDirectory(directory)) {
            throw new IOException("cannot write " + target + ": there is no directory " + directory);
        }
        Path temporary = file.resolveSibling("." + file.getFileName() + "."
                + Long.toHexString(ProcessHandle.current().pid()) + Long.toHexString(System.nanoTime()) + ".tmp");
        try {
            Files.write(temporary, content, StandardOpenOption.CREATE_NEW);
            sync(temporary);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new IOException("cannot write " + target + ": " + reason(e), e);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /** What went wrong with which file, in words: messages of exceptions often have no more than its name. */
    public static String describe(IOException failure) {
        return failure instanceof FileSystemException file && file.getReason() == null
                ? file.getFile() + ": " + reason(file)
                : String.valueOf(failure.getMessage());
    }

    private static String reason(IOException failure) {
        if (failure instanceof AccessDeniedException) {
            return "permission denied";
        }
        return failure instanceof FileSystemException file && file.getReason() != null
                ? file.getReason()
                : failure.getClass().getSimpleName().replaceAll("Exception$", "");
    }

    /** Deletes a file, or a directory and everything in it. */
    public static void deleteTree(Path root) throws IOException {
        List<Path> deepestFirst;
        try (Stream<Path> paths = Files.walk(root)) {
            deepestFirst = paths.sorted(Comparator.reverseOrder()).toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        for (Path path : deepestFirst) {
            Files.delete(path);
        }
    }
}
