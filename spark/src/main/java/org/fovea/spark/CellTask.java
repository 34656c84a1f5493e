// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function;

/**
 * One run of a sweep, as a task by itself. Its result is {@code NAME}, a line feed, and the JSON that fovea sweep keeps of it, or nothing where the run failed,
 * which it would do again. A task that is lost is started again by Spark; in a directory that all machines see it goes on from its checkpoint.
 */
final class CellTask implements Function<String, String> {
    private static final long serialVersionUID = 1;

    /** More is the number of a signal that ended the process from outside. */
    private static final int LAST_OWN_CODE = 127;

    private final Arguments arguments;

    CellTask(Arguments arguments) {
        this.arguments = arguments;
    }

    @Override
    public String call(String cell) throws IOException, InterruptedException {
        TaskContext context = TaskContext.get();
        Path directory = RunDirectory.isUri(arguments.out())
                ? Files.createTempDirectory(TaskPlace.scratch(), "fovea-cell")
                : Path.of(arguments.out()).toAbsolutePath().resolve("tasks").resolve(cell);
        List<String> command = new ArrayList<>(List.of("sweep"));
        command.addAll(TaskPlace.withThreads(context, arguments.rest()));
        command.addAll(List.of("--out", directory.toString(), "--only", cell, "--jobs", "1"));
        FoveaProcess.End end = FoveaProcess.start(cell + ": ", TaskPlace.devices(context), command)
                .await(context::isInterrupted, () -> {});
        context.killTaskIfInterrupted();
        if (end.code() > LAST_OWN_CODE) {
            throw new IllegalStateException(cell + " was ended from outside, with exit code " + end.code());
        }
        Path result = directory.resolve("cells").resolve(cell + ".json");
        return cell + "\n" + (Files.exists(result) ? Files.readString(result) : "");
    }
}
