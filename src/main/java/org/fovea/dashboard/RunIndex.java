// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.fovea.rl.run.RunFiles;
import org.fovea.rl.run.RunSummary;
import org.jspecify.annotations.Nullable;

/**
 * The runs in a directory, at any depth that experiments have. One is looked at again only when something of it has changed. A run's
 * name is its path below the directory, with slashes, {@code .} for the directory itself. Symbolic links are not followed.
 */
final class RunIndex {
    private static final int DEPTH = 5;

    /** Within a run: the best of its checkpoints, and their files. */
    private static final int DEPTH_OF_RUN = 3;

    private static final String IS_A_LINK = " is a symbolic link, which may lead out of the directory";

    /** Of what is inside a run, and never a run. */
    private static final Pattern CHECKPOINT = Pattern.compile("\\.?checkpoint-\\d+.*");

    private final String name;
    private final Path root;
    private final Map<String, Seen> seen = new ConcurrentSkipListMap<>();

    private record Seen(String fingerprint, RunSummary summary) {}

    /** @throws IOException if it is not a directory that can be read */
    RunIndex(Path directory) throws IOException {
        this.name = directory.toString();
        this.root = directory.toRealPath();
        if (!Files.isDirectory(root) || !Files.isReadable(root)) {
            throw new IOException(directory + " is not a directory that can be read");
        }
    }

    /** The directory as it was named. */
    String name() {
        return name;
    }

    /** The runs as far as they have been looked at, by name. */
    Map<String, RunSummary> summaries() {
        Map<String, RunSummary> summaries = new TreeMap<>();
        seen.forEach((name, run) -> summaries.put(name, run.summary));
        return summaries;
    }

    /** Looks at all runs; what is new or has changed of one is known as soon as it has been read. For one thread at a time. */
    void refresh() {
        Set<String> found = new HashSet<>();
        try {
            Files.walkFileTree(root, Set.of(), DEPTH, new Walk(found));
        } catch (IOException e) {
            // The directory itself has gone: there are no runs in it.
            found.clear();
        }
        seen.keySet().retainAll(found);
    }

    private final class Walk extends SimpleFileVisitor<Path> {
        private final Set<String> found;

        Walk(Set<String> found) {
            this.found = found;
        }

        @Override
        public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
            boolean isHidden = !directory.equals(root)
                    && (directory.getFileName().toString().startsWith(".")
                            || CHECKPOINT
                                    .matcher(directory.getFileName().toString())
                                    .matches());
            if (isHidden) {
                return FileVisitResult.SKIP_SUBTREE;
            }
            String name = name(directory);
            String fingerprint = fingerprint(directory);
            Seen before = seen.get(name);
            boolean isSame = before != null
                    && before.fingerprint.equals(fingerprint)
                    && before.summary.state() != RunSummary.State.RUNNING;
            if (!isSame) {
                if (!RunSummary.isRun(directory)) {
                    return FileVisitResult.CONTINUE;
                }
                try {
                    seen.put(name, new Seen(fingerprint, summary(directory)));
                } catch (IOException | RuntimeException justDeleted) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
            }
            found.add(name);
            return FileVisitResult.SKIP_SUBTREE;
        }

        /** What can't be read, or has just been deleted, is passed over. */
        @Override
        public FileVisitResult visitFileFailed(Path file, IOException failure) {
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure) {
            return FileVisitResult.CONTINUE;
        }
    }

    private String name(Path directory) {
        String name = root.relativize(directory).toString();
        return name.isEmpty() ? "." : name;
    }

    private static RunSummary summary(Path directory) throws IOException {
        Optional<Path> link = link(directory);
        return link.isEmpty() ? RunSummary.read(directory) : unread(directory, link.get());
    }

    /** A symbolic link among a run's files, by which something of elsewhere would be read. */
    private static Optional<Path> link(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory, DEPTH_OF_RUN)) {
            return files.filter(Files::isSymbolicLink).findFirst();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static RunSummary unread(Path directory, Path link) throws IOException {
        return new RunSummary(
                directory,
                RunSummary.State.INTERRUPTED,
                Map.of(),
                List.of(),
                0,
                0,
                RunSummary.Score.NONE,
                Map.of(),
                Files.getLastModifiedTime(directory).toInstant(),
                null,
                "not read: " + directory.relativize(link) + IS_A_LINK);
    }

    /** Of what changes where something happens to a run. */
    private static String fingerprint(Path directory) {
        StringBuilder print = new StringBuilder();
        for (String name : List.of("", RunFiles.PROGRESS, RunFiles.EVALUATIONS, RunFiles.RESULT, RunFiles.CONFIG)) {
            try {
                BasicFileAttributes file = Files.readAttributes(
                        directory.resolve(name), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                print.append(file.lastModifiedTime().toMillis()).append(':').append(file.size());
            } catch (IOException e) {
                print.append('-');
            }
            print.append(' ');
        }
        return print.toString();
    }

    /**
     * The directory of a run.
     *
     * @throws RequestException if there is no such run in this directory, whatever else there may be of that name
     */
    Path directory(String name) throws RequestException {
        try {
            Path directory = root.resolve(name).normalize();
            boolean isHere = directory.startsWith(root)
                    && name(directory).equals(name)
                    && directory.toRealPath().equals(directory)
                    && RunSummary.isRun(directory);
            if (isHere) {
                Optional<Path> link = link(directory);
                if (link.isPresent()) {
                    throw new RequestException(
                            403, "the run '" + name + "' is not read: " + directory.relativize(link.get()) + IS_A_LINK);
                }
                return directory;
            }
        } catch (IOException | InvalidPathException | UncheckedIOException e) {
            // Said below.
        }
        throw new RequestException(404, "there is no run '" + name + "', or it is no longer there");
    }

    /** Directories that are no runs, for the page to say so: how many there are, up to some. */
    List<String> others() {
        List<String> others = new ArrayList<>();
        try (var entries = Files.newDirectoryStream(root)) {
            for (Path entry : entries) {
                if (others.size() == 5) {
                    break;
                }
                others.add(entry.getFileName().toString());
            }
        } catch (IOException e) {
            return List.of();
        }
        return others;
    }
}
