// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;

/**
 * Where a run is kept: a directory that all machines see, or one of this machine alone whose files are copied to one of Hadoop's file systems and back.
 * A checkpoint appears there as a whole, after the logs that go with it, and before older ones are deleted.
 */
final class RunDirectory implements AutoCloseable {
    private static final String CHECKPOINT = "checkpoint-";
    private static final String LOCK = ".lock";
    private static final long MILLIS_TO_WAIT = 20_000;
    private static final long MILLIS_BETWEEN_LOOKS = 200;
    private static final long NANOS_BETWEEN_COPIES = 5_000_000_000L;

    private final Path local;

    /** Null where the directory is one that all see. */
    private final FileSystem files;

    private final org.apache.hadoop.fs.Path remote;

    /** Size and date of what was copied. */
    private final Map<Path, String> sent = new HashMap<>();

    private long lastCopy = System.nanoTime();

    private RunDirectory(Path local, FileSystem files, org.apache.hadoop.fs.Path remote) {
        this.local = local;
        this.files = files;
        this.remote = remote;
    }

    /** Whether it is a URI, of which {@link #open} makes a copy. */
    static boolean isUri(String out) {
        return out.matches("[A-Za-z][A-Za-z0-9+.-]*:.*");
    }

    /**
     * Opens one, with what a URI already holds.
     *
     * @param out a path, or a URI of Hadoop's file systems
     * @param scratch directory for the copy
     */
    static RunDirectory open(String out, Path scratch, Configuration hadoop) throws IOException {
        if (!isUri(out)) {
            return new RunDirectory(Path.of(out).toAbsolutePath(), null, null);
        }
        // One that does not exist yet, as a new run wants it.
        Path local = Files.createTempDirectory(Files.createDirectories(scratch), "fovea-run")
                .resolve("run");
        RunDirectory opened =
                new RunDirectory(local, FileSystem.get(URI.create(out), hadoop), new org.apache.hadoop.fs.Path(out));
        opened.receive(opened.remote, local);
        return opened;
    }

    /** That of this machine. */
    Path local() {
        return local;
    }

    /** Whether there is something to go on from. */
    boolean hasCheckpoint() throws IOException {
        return Files.isDirectory(local) && entries(local).stream().anyMatch(RunDirectory::isCheckpoint);
    }

    /** Waits until no process of an earlier attempt has the directory, for a while. */
    void awaitFree() throws IOException, InterruptedException {
        Path lock = local.resolve(LOCK);
        long deadline = System.nanoTime() + MILLIS_TO_WAIT * 1_000_000;
        while (Files.exists(lock) && isHeld(lock) && System.nanoTime() < deadline) {
            Thread.sleep(MILLIS_BETWEEN_LOOKS);
        }
    }

    private static boolean isHeld(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
                FileLock lock = channel.tryLock()) {
            return lock == null;
        }
    }

    private void receive(org.apache.hadoop.fs.Path from, Path to) throws IOException {
        FileStatus[] found;
        try {
            found = files.listStatus(from);
        } catch (FileNotFoundException nothingYet) {
            return;
        }
        Files.createDirectories(to);
        for (FileStatus each : found) {
            String name = each.getPath().getName();
            if (name.startsWith(".")) {
                continue;
            }
            if (each.isDirectory()) {
                receive(each.getPath(), to.resolve(name));
            } else {
                files.copyToLocalFile(false, each.getPath(), hadoop(to.resolve(name)), true);
            }
        }
    }

    /** Copies what there is of new checkpoints, if it is time to. */
    void sendNow() throws IOException {
        if (files != null && System.nanoTime() - lastCopy > NANOS_BETWEEN_COPIES) {
            send();
            lastCopy = System.nanoTime();
        }
    }

    /** Copies all that is new. */
    void send() throws IOException {
        if (files != null && Files.exists(local)) {
            try {
                send(local, remote);
            } catch (NoSuchFileException deletedMeanwhile) {
                // A checkpoint that there are two later ones of: the next copy is of those.
            }
        }
    }

    private void send(Path from, org.apache.hadoop.fs.Path to) throws IOException {
        files.mkdirs(to);
        List<Path> all = entries(from);
        List<Path> fresh = all.stream()
                .filter(each -> isCheckpoint(each) && !sent.containsKey(each))
                .toList();
        for (Path checkpoint : fresh) {
            org.apache.hadoop.fs.Path half = new org.apache.hadoop.fs.Path(to, "." + checkpoint.getFileName());
            files.delete(half, true);
            files.mkdirs(half);
            for (Path file : entries(checkpoint)) {
                sendFile(file, half);
            }
        }
        for (Path file : all) {
            if (Files.isRegularFile(file)) {
                String state = Files.size(file) + " " + Files.getLastModifiedTime(file);
                if (!state.equals(sent.put(file, state))) {
                    sendFile(file, to);
                }
            }
        }
        for (Path checkpoint : fresh) {
            String name = checkpoint.getFileName().toString();
            org.apache.hadoop.fs.Path whole = new org.apache.hadoop.fs.Path(to, name);
            files.delete(whole, true);
            if (!files.rename(new org.apache.hadoop.fs.Path(to, "." + name), whole)) {
                throw new IOException("cannot name a checkpoint " + whole);
            }
            sent.put(checkpoint, "");
        }
        for (Path directory : all) {
            if (Files.isDirectory(directory) && !isCheckpoint(directory)) {
                send(
                        directory,
                        new org.apache.hadoop.fs.Path(
                                to, directory.getFileName().toString()));
            }
        }
        for (FileStatus each : files.listStatus(to)) {
            String name = each.getPath().getName();
            if (name.startsWith(CHECKPOINT) && !Files.exists(from.resolve(name))) {
                files.delete(each.getPath(), true);
            }
        }
    }

    private void sendFile(Path file, org.apache.hadoop.fs.Path directory) throws IOException {
        files.copyFromLocalFile(
                false,
                true,
                hadoop(file),
                new org.apache.hadoop.fs.Path(directory, file.getFileName().toString()));
    }

    private static org.apache.hadoop.fs.Path hadoop(Path file) {
        return new org.apache.hadoop.fs.Path(file.toUri());
    }

    private static boolean isCheckpoint(Path path) {
        return path.getFileName().toString().startsWith(CHECKPOINT);
    }

    /** What is there and not hidden, as what is half written is. */
    private static List<Path> entries(Path directory) throws IOException {
        try (Stream<Path> listed = Files.list(directory)) {
            return listed.filter(each -> !each.getFileName().toString().startsWith("."))
                    .sorted()
                    .toList();
        }
    }

    /** Deletes the copy. */
    @Override
    public void close() throws IOException {
        if (files != null) {
            try (Stream<Path> tree = Files.walk(local.getParent())) {
                for (Path each : tree.sorted((a, b) -> b.compareTo(a)).toList()) {
                    Files.delete(each);
                }
            }
        }
    }
}
