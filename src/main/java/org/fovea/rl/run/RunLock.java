// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Keeps two processes out of one directory of a run, or of many. The lock goes with the process, also if that is killed. */
public final class RunLock implements AutoCloseable {
    private static final String FILE_NAME = ".lock";

    /** For as long as {@link #isHeld} may have it. */
    private static final int ATTEMPTS = 10;

    private static final long MILLIS_BETWEEN_ATTEMPTS = 10;

    /** Directories that this process has. To close any channel to a file lets go of all locks that the process has on it. */
    private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

    private final Path runDirectory;
    private final FileChannel channel;

    private RunLock(Path runDirectory, FileChannel channel) {
        this.runDirectory = runDirectory;
        this.channel = channel;
    }

    /**
     * Takes the lock of a run directory, which is created if it does not exist.
     *
     * @throws RunInUseException if another trainer has it
     */
    public static synchronized RunLock take(Path runDirectory) {
        Path directory;
        try {
            directory = Files.createDirectories(runDirectory).toRealPath();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot use the directory " + runDirectory, e);
        }
        if (!OWN.add(directory)) {
            throw new RunInUseException(runDirectory);
        }
        try {
            FileChannel channel =
                    FileChannel.open(directory.resolve(FILE_NAME), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (isLocked(channel)) {
                return new RunLock(directory, channel);
            }
            channel.close();
        } catch (IOException e) {
            OWN.remove(directory);
            throw new UncheckedIOException("cannot use the directory " + runDirectory, e);
        }
        OWN.remove(directory);
        throw new RunInUseException(runDirectory);
    }

    private static boolean isLocked(FileChannel channel) throws IOException {
        for (int attempt = 1; attempt < ATTEMPTS; attempt++) {
            if (channel.tryLock() != null) {
                return true;
            }
            try {
                Thread.sleep(MILLIS_BETWEEN_ATTEMPTS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        return channel.tryLock() != null;
    }

    /** Whether a trainer, of this process or another one on this machine, has a directory now. */
    static synchronized boolean isHeld(Path runDirectory) {
        Path file = runDirectory.resolve(FILE_NAME);
        try {
            if (OWN.contains(runDirectory.toRealPath())) {
                return true;
            }
            // To open a named pipe would be to wait for whoever writes to it.
            if (!Files.isRegularFile(file)) {
                return false;
            }
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
                    FileLock lock = channel.tryLock(0, Long.MAX_VALUE, true)) {
                return lock == null;
            }
        } catch (OverlappingFileLockException e) {
            return true;
        } catch (IOException e) {
            // There is none, or it is on a file system without locks.
            return false;
        }
    }

    @Override
    public void close() {
        OWN.remove(runDirectory);
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close the lock of a run", e);
        }
    }
}
