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
import org.jspecify.annotations.Nullable;

/** Keeps two processes out of one directory of a run, or of many. The lock goes with the process, also if that is killed. */
public final class RunLock implements AutoCloseable {
    private static final String FILE_NAME = ".lock";

    private final FileChannel channel;

    private RunLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Takes the lock of a run directory, which is created if it does not exist.
     *
     * @throws RunInUseException if another trainer has it
     */
    public static RunLock take(Path runDirectory) {
        try {
            Files.createDirectories(runDirectory);
            FileChannel channel = FileChannel.open(
                    runDirectory.resolve(FILE_NAME), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (tryLock(channel) == null) {
                channel.close();
                throw new RunInUseException(runDirectory);
            }
            return new RunLock(channel);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot use the directory " + runDirectory, e);
        }
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close the lock of a run", e);
        }
    }
}
