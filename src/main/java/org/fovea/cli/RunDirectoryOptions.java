// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import org.fovea.rl.run.RunSpec;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say where a new run is kept. */
class RunDirectoryOptions {
    private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss-SSS");

    @Option(names = "--out", paramLabel = "DIR", description = "Run directory (default: a new one under runs/).")
    @Nullable
    Path directory;

    @Option(names = "--overwrite", description = "Replace the run that --out holds.")
    boolean overwrite;

    /** The same of a process that is the only one. */
    final Path newDirectory(RunSpec spec) {
        return newDirectory(spec, true);
    }

    /**
     * The directory of a new run: the one that was given, or one named by what is trained and the time.
     *
     * @param isFirst whether this process begins it, and no other of the same run
     */
    final Path newDirectory(RunSpec spec, boolean isFirst) {
        Path given = directory;
        if (given == null) {
            String name = spec.environment().replaceAll("[^A-Za-z0-9._-]+", "-") + "-" + spec.policy() + "-seed"
                    + spec.seed() + "-" + TIMESTAMP.format(LocalDateTime.now(ZoneId.systemDefault()));
            return Path.of("runs", name);
        }
        if (Files.exists(given) && !overwrite && isFirst) {
            throw new UsageException(given + " exists; --resume goes on with the run in it, --overwrite replaces it");
        }
        return given;
    }
}
