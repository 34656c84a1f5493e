// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The checkpoints of a run by the names of their directories. A step that is saved again gets a revision, as in
 * {@code checkpoint-000000000123.1}: a directory that isn't empty cannot be replaced in one move.
 */
final class CheckpointNames {
    private static final Pattern CHECKPOINT = Pattern.compile("checkpoint-(\\d{1,18})(?:\\.(\\d{1,9}))?");
    private static final Pattern LEFTOVER = Pattern.compile("\\.checkpoint-[\\d.]+\\.tmp");

    private final Path runDirectory;
    private final List<Name> checkpoints = new ArrayList<>();
    private final List<Path> leftovers = new ArrayList<>();

    private record Name(long step, long revision, Path path) {}

    private CheckpointNames(Path runDirectory) {
        this.runDirectory = runDirectory;
    }

    static CheckpointNames in(Path runDirectory) throws IOException {
        CheckpointNames names = new CheckpointNames(runDirectory);
        List<Path> paths;
        try (Stream<Path> listing = Files.list(runDirectory)) {
            paths = listing.toList();
        }
        for (Path path : paths) {
            String fileName = path.getFileName().toString();
            Matcher matcher = CHECKPOINT.matcher(fileName);
            if (matcher.matches()) {
                String revision = matcher.group(2);
                names.checkpoints.add(new Name(
                        Long.parseLong(matcher.group(1)), revision == null ? 0 : Long.parseLong(revision), path));
            } else if (LEFTOVER.matcher(fileName).matches()) {
                names.leftovers.add(path);
            }
        }
        names.checkpoints.sort(Comparator.comparingLong(Name::step).thenComparingLong(Name::revision));
        return names;
    }

    List<Path> oldestFirst() {
        return checkpoints.stream().map(Name::path).toList();
    }

    /** What runs that were killed while they saved have left behind. */
    List<Path> leftovers() {
        return leftovers;
    }

    /** Where the next checkpoint goes. */
    Path next(long step) throws IOException {
        String name = name(step);
        if (checkpoints.isEmpty()) {
            return runDirectory.resolve(name);
        }
        Name newest = checkpoints.get(checkpoints.size() - 1);
        if (newest.step() > step) {
            throw new IOException(newest.path() + " is of a later step: delete it or use another directory");
        }
        return runDirectory.resolve(newest.step() == step ? name + "." + (newest.revision() + 1) : name);
    }

    private static String name(long step) {
        return String.format(Locale.ROOT, "checkpoint-%012d", step);
    }

    /** Whether a checkpoint's name is one that its step gets. */
    static boolean isOfStep(Path checkpoint, long step) {
        Matcher matcher = CHECKPOINT.matcher(checkpoint.getFileName().toString());
        return matcher.matches() && Long.parseLong(matcher.group(1)) == step;
    }

    static Path temporary(Path checkpoint) {
        return checkpoint.resolveSibling("." + checkpoint.getFileName() + ".tmp");
    }
}
