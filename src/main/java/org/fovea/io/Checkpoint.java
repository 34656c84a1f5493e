// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The state of a run, from which it can go on. In the run's directory a checkpoint is a directory of its own,
 * {@code checkpoint-000000000123} for step 123, that holds {@code tensors.safetensors} (metadata included), further files
 * and a manifest with their checksums. It is written under a temporary name, synced to the disk and renamed, so a run
 * killed at any moment leaves the last good one.
 *
 * @param step of the run
 * @param tensors by name
 * @param metadata short texts by name
 * @param files further files by name, such as {@code config.json}
 */
public record Checkpoint(
        long step, Map<String, TensorData> tensors, Map<String, String> metadata, Map<String, byte[]> files) {
    private static final String TENSORS = "tensors.safetensors";
    private static final int KEPT = 2;

    /**
     * @throws IllegalArgumentException if the step is negative or a file's name isn't one or is taken
     */
    public Checkpoint {
        if (step < 0) {
            throw new IllegalArgumentException("the step of a checkpoint is at least 0, not " + step);
        }
        for (String name : files.keySet()) {
            if (!Manifest.isFileName(name) || name.equals(TENSORS) || name.equals(Manifest.FILE_NAME)) {
                throw new IllegalArgumentException(
                        "'" + name + "' cannot name a file of a checkpoint: expected letters,"
                                + " digits and . _ -, and neither " + TENSORS + " nor " + Manifest.FILE_NAME);
            }
        }
    }

    /**
     * Writes a checkpoint and then deletes all but the last two of the run.
     *
     * @param runDirectory created if it does not exist
     * @return the checkpoint's directory
     * @throws IOException naming the path, if it cannot be written or the run has one of a later step; the checkpoints
     *     that were there are left as they were. So it goes, too, on a thread that is interrupted
     */
    public static Path save(
            Path runDirectory,
            long step,
            Map<String, TensorData> tensors,
            Map<String, String> metadata,
            Map<String, byte[]> files)
            throws IOException {
        return new Checkpoint(step, tensors, metadata, files).save(runDirectory);
    }

    /** As {@link #save(Path, long, Map, Map, Map)}. */
    public Path save(Path runDirectory) throws IOException {
        try {
            Files.createDirectories(runDirectory);
            CheckpointNames names = CheckpointNames.in(runDirectory);
            Path target = names.next(step);
            for (Path leftover : names.leftovers()) {
                DurableFiles.deleteTree(leftover);
            }
            Path temporary = CheckpointNames.temporary(target);
            try {
                writeFiles(Files.createDirectory(temporary));
                DurableFiles.sync(temporary);
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
                DurableFiles.sync(runDirectory);
            } catch (IOException | RuntimeException e) {
                discard(temporary, e);
                throw e;
            }
            deleteAllButLast(runDirectory);
            return target;
        } catch (IOException e) {
            throw new IOException("cannot save the checkpoint of step " + step + " in " + runDirectory + ": " + e, e);
        }
    }

    private void writeFiles(Path directory) throws IOException {
        Map<String, Manifest.FileDigest> digests = new TreeMap<>();
        SafeTensors.write(directory.resolve(TENSORS), tensors, metadata);
        digests.put(TENSORS, Manifest.FileDigest.of(directory.resolve(TENSORS)));
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            Path path = directory.resolve(file.getKey());
            Files.write(path, file.getValue());
            digests.put(file.getKey(), Manifest.FileDigest.of(path));
        }
        new Manifest(step, digests).write(directory);
        for (String name : digests.keySet()) {
            DurableFiles.sync(directory.resolve(name));
        }
        DurableFiles.sync(directory.resolve(Manifest.FILE_NAME));
    }

    /** A half-written checkpoint only fills the disk, which may be why it is half written. */
    private static void discard(Path temporary, Exception reason) {
        try {
            if (Files.exists(temporary)) {
                DurableFiles.deleteTree(temporary);
            }
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    private static void deleteAllButLast(Path runDirectory) throws IOException {
        List<Path> checkpoints = CheckpointNames.in(runDirectory).oldestFirst();
        for (Path old : checkpoints.subList(0, Math.max(0, checkpoints.size() - KEPT))) {
            // Renamed first, so that a kill half-way leaves a leftover and not a damaged checkpoint.
            Path temporary = CheckpointNames.temporary(old);
            Files.move(old, temporary);
            DurableFiles.deleteTree(temporary);
        }
    }

    /** The directory of a run's newest checkpoint, if it has one. */
    public static Optional<Path> latest(Path runDirectory) throws IOException {
        if (!Files.isDirectory(runDirectory)) {
            return Optional.empty();
        }
        List<Path> checkpoints = CheckpointNames.in(runDirectory).oldestFirst();
        return checkpoints.isEmpty() ? Optional.empty() : Optional.of(checkpoints.get(checkpoints.size() - 1));
    }

    /**
     * Reads a run's newest checkpoint.
     *
     * @throws CorruptFileException if it is damaged; it names the file and what to delete to go on from the one before
     * @throws IOException if the run has none
     */
    public static Checkpoint load(Path runDirectory) throws IOException {
        Path newest = latest(runDirectory)
                .orElseThrow(() -> new IOException(runDirectory + " has no checkpoint to go on from"));
        try {
            return read(newest);
        } catch (CorruptFileException damage) {
            List<Path> checkpoints = CheckpointNames.in(runDirectory).oldestFirst();
            String advice = checkpoints.size() < 2
                    ? "the run has no other checkpoint: start it afresh"
                    : "delete " + newest + " to go on from "
                            + checkpoints.get(checkpoints.size() - 2).getFileName();
            throw new CorruptFileException(damage, advice);
        }
    }

    /**
     * The metadata of a run's newest checkpoint, read without its tensors and without a comparison of checksums, so that many runs
     * can be looked at.
     *
     * @return empty if the run has none
     */
    public static Map<String, String> latestMetadata(Path runDirectory) throws IOException {
        Optional<Path> newest = latest(runDirectory);
        if (newest.isEmpty()) {
            return Map.of();
        }
        return SafeTensorsReader.metadata(newest.get().resolve(TENSORS));
    }

    private static Checkpoint read(Path directory) throws IOException {
        Manifest manifest = Manifest.read(directory);
        manifest.verify(directory);
        if (!manifest.files().containsKey(TENSORS)) {
            throw new CorruptFileException(directory.resolve(Manifest.FILE_NAME), "it does not list " + TENSORS);
        }
        if (!CheckpointNames.isOfStep(directory, manifest.step())) {
            throw new CorruptFileException(
                    directory.resolve(Manifest.FILE_NAME),
                    "its step is " + manifest.step() + ", unlike the directory's");
        }
        SafeTensors.Contents contents = SafeTensors.read(directory.resolve(TENSORS));
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : manifest.files().keySet()) {
            if (!name.equals(TENSORS)) {
                files.put(name, Files.readAllBytes(directory.resolve(name)));
            }
        }
        return new Checkpoint(manifest.step(), contents.tensors(), contents.metadata(), files);
    }
}
