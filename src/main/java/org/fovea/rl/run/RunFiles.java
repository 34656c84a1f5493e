// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.fovea.io.DurableFiles;
import org.fovea.rl.events.EventFile;

/** Names of the files in a run's directory, besides its checkpoints. */
public final class RunFiles {
    /** The table with one line per iteration. */
    public static final String PROGRESS = "progress.csv";

    /** The table with one line per evaluation during training. */
    public static final String EVALUATIONS = "evaluations.csv";

    /** The settings of the run, which repeat it. */
    public static final String CONFIG = "config.yaml";

    /** How the run ended. */
    public static final String RESULT = "result.json";

    /** The directory with the checkpoint of the policy that these found to be the best. */
    public static final String BEST = "best";

    /** The policy that the run began with, if that was not a random one. */
    public static final String INITIAL = "initial.safetensors";

    /** The picture that is drawn from the tables. */
    public static final String LEARNING_CURVE = "learning-curve.png";

    /** The table with one line per iteration of what took how long. */
    public static final String TIMES = "times.csv";

    private RunFiles() {}

    /** Creates the directory, and removes what an earlier run left in it; files that no run writes stay. */
    static void prepare(Path runDirectory) {
        try {
            Files.createDirectories(runDirectory);
            List<Path> left;
            try (Stream<Path> entries = Files.list(runDirectory)) {
                left = entries.filter(RunFiles::isOfARun).toList();
            }
            for (Path path : left) {
                DurableFiles.deleteTree(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot prepare the run directory " + runDirectory, e);
        }
    }

    private static boolean isOfARun(Path path) {
        String name = path.getFileName().toString();
        return List.of(PROGRESS, TIMES, EVALUATIONS, CONFIG, RESULT, BEST, INITIAL)
                        .contains(name)
                || name.startsWith(EventFile.PREFIX)
                || name.startsWith("learning-curve.")
                || name.matches("\\.?checkpoint-\\d+.*");
    }
}
