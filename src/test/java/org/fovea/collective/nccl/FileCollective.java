// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective.nccl;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.function.Consumer;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.collective.Collective;

/** What processes tell each other by files in one directory. */
final class FileCollective implements Collective {
    private static final long MILLIS_BETWEEN_LOOKS = 5;
    private static final int MOST_LOOKS = 6_000;

    private final Path directory;
    private final int rank;
    private final int size;
    private int gathered;

    FileCollective(Path directory, int rank, int size) {
        this.directory = directory;
        this.rank = rank;
        this.size = size;
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void allReduceSum(DeviceArray array) {
        throw new UnsupportedOperationException("allReduceSum");
    }

    @Override
    public void broadcast(DeviceArray array, int root) {
        throw new UnsupportedOperationException("broadcast");
    }

    @Override
    public byte[][] gather(byte[] own) {
        gathered++;
        write("gather-" + gathered + "-" + rank, own);
        byte[][] all = new byte[size][];
        for (int i = 0; i < size; i++) {
            all[i] = await("gather-" + gathered + "-" + i);
        }
        return all;
    }

    @Override
    public void fail(String reason) {
        write("failed", reason.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void whenFailed(Consumer<String> listener) {
        Thread watcher = new Thread(() -> listener.accept(new String(await("failed"), StandardCharsets.UTF_8)));
        watcher.setDaemon(true);
        watcher.start();
    }

    @Override
    public void close() {
        // Files are closed when they are written.
    }

    private void write(String name, byte[] content) {
        try {
            Path temporary = Files.write(directory.resolve("." + name + "-" + rank), content);
            Files.move(temporary, directory.resolve(name), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private byte[] await(String name) {
        try {
            for (int looks = 0; looks < MOST_LOOKS; looks++) {
                if (Files.exists(directory.resolve(name))) {
                    return Files.readAllBytes(directory.resolve(name));
                }
                Thread.sleep(MILLIS_BETWEEN_LOOKS);
            }
            throw new IllegalStateException("nobody wrote " + name);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
