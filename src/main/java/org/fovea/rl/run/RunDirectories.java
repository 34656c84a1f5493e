package org.fovea.rl.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Makes room for a run. */
final class RunDirectories {
    private RunDirectories() {}

    /** Makes the directory, and removes what an earlier run left in it; files that no run makes stay. */
    static void prepare(Path runDirectory) {
        try {
            Files.createDirectories(runDirectory);
            List<Path> left;
            try (Stream<Path> entries = Files.list(runDirectory)) {
                left = entries.filter(RunDirectories::isOfARun).toList();
            }
            for (Path path : left) {
                delete(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot prepare the run directory " + runDirectory, e);
        }
    }

    private static boolean isOfARun(Path path) {
        String name = path.getFileName().toString();
        return name.equals(TrainingLog.FILE_NAME)
                || name.startsWith("learning-curve.")
                || name.matches("\\.?checkpoint-\\d+.*");
    }

    private static void delete(Path path) throws IOException {
        try (Stream<Path> tree = Files.walk(path)) {
            for (Path entry : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(entry);
            }
        }
    }
}
