// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.fovea.backend.Backend;
import org.fovea.io.Checkpoint;
import org.fovea.io.DurableFiles;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunLock;
import org.fovea.rl.run.SavedRun;
import org.jspecify.annotations.Nullable;

/**
 * Cells that are trained side by side, each on a thread and a backend of its own: threads of one process share the compiled code,
 * which for runs of a few seconds is half of the work. In the experiment's directory {@code cells/NAME.json} is the result of a
 * cell, {@code runs/NAME} its run. A cell that has a result is not played again, and one that was begun goes on from its checkpoint.
 */
public final class Experiment {
    private final Path directory;
    private final List<Cell> cells;
    private final int episodes;
    private final Provenance provenance;

    /**
     * @param directory made when it is run
     * @param episodes of each of the two evaluations of a final policy
     */
    public Experiment(Path directory, List<Cell> cells, int episodes, Provenance provenance) {
        if (episodes < 1) {
            throw new IllegalArgumentException("a score needs at least 1 episode, got " + episodes);
        }
        this.directory = directory;
        this.cells = List.copyOf(cells);
        this.episodes = episodes;
        this.provenance = provenance;
    }

    /** How far a cell is. */
    public enum State {
        /** It has a result. */
        DONE,
        /** It was begun and can go on. */
        BEGUN,
        /** It has not been begun. */
        NOT_RUN,
        /** Its run failed. */
        FAILED
    }

    /**
     * A cell after it was run, or not.
     *
     * @param result null if it has none
     * @param failure why it failed, null if it did not
     */
    public record Outcome(
            Cell cell,
            State state,
            @Nullable CellResult result,
            @Nullable Throwable failure) {}

    /** Told of what goes on, on the threads of the cells. */
    public interface Listener {
        /** A cell is trained from now on; {@code steps} it had before. */
        void started(Cell cell, long steps);

        /** After an iteration of a cell. */
        void progressed(Cell cell, Progress progress);

        /** A cell is trained no more. */
        void ended(Outcome outcome);
    }

    /** All of them, in order. */
    public List<Cell> cells() {
        return cells;
    }

    /** Where a cell's run is kept. */
    public Path runDirectory(Cell cell) {
        return directory.resolve("runs").resolve(cell.name());
    }

    private Path resultFile(Cell cell) {
        return directory.resolve("cells").resolve(cell.name() + ".json");
    }

    /**
     * How far every cell is, by what is in the directory.
     *
     * @throws IllegalArgumentException if the directory holds a cell of that name with other settings
     * @throws IOException if a file cannot be read
     */
    public List<Outcome> outcomes() throws IOException {
        List<Outcome> outcomes = new ArrayList<>(cells.size());
        for (Cell cell : cells) {
            outcomes.add(outcome(cell));
        }
        return outcomes;
    }

    private Outcome outcome(Cell cell) throws IOException {
        Path file = resultFile(cell);
        if (Files.exists(file)) {
            CellResult result = CellResult.read(file);
            if (!result.spec().equals(cell.spec().save())) {
                throw otherSettings(cell, file);
            }
            if (result.isOf(cell, episodes)) {
                return new Outcome(cell, State.DONE, result, null);
            }
        }
        if (Checkpoint.latest(runDirectory(cell)).isEmpty()) {
            return new Outcome(cell, State.NOT_RUN, null, null);
        }
        if (!SavedRun.load(runDirectory(cell)).spec().equals(cell.spec())) {
            throw otherSettings(cell, runDirectory(cell));
        }
        return new Outcome(cell, State.BEGUN, null, null);
    }

    private static IllegalArgumentException otherSettings(Cell cell, Path path) {
        return new IllegalArgumentException(
                path + " is of other settings than " + cell.name() + " has now: choose another --out, or delete it");
    }

    /**
     * Runs the cells that are wanted and have no result yet, until {@code stop} is true or time is up; those under way are then left with a
     * checkpoint.
     *
     * @param jobs cells at a time
     * @param backends makes one for each thread
     * @param play of each of them
     * @return how far every cell is, in order
     * @throws org.fovea.rl.run.RunInUseException if another process runs them
     */
    public List<Outcome> run(
            Predicate<Cell> wanted,
            int jobs,
            Supplier<Backend> backends,
            PlaySettings play,
            double maxSeconds,
            Listener listener,
            BooleanSupplier stop)
            throws IOException {
        RunLock lock = RunLock.take(directory);
        try {
            return runLocked(wanted, jobs, backends, play, maxSeconds, listener, stop);
        } finally {
            lock.close();
        }
    }

    private List<Outcome> runLocked(
            Predicate<Cell> wanted,
            int jobs,
            Supplier<Backend> backends,
            PlaySettings play,
            double maxSeconds,
            Listener listener,
            BooleanSupplier stop)
            throws IOException {
        List<Outcome> before = outcomes();
        long deadline = System.nanoTime() + (long) Math.min(maxSeconds * 1e9, Long.MAX_VALUE / 4.0);
        BooleanSupplier ended = () -> stop.getAsBoolean() || System.nanoTime() - deadline > 0;
        ExecutorService threads = Executors.newFixedThreadPool(jobs);
        try {
            List<Future<Outcome>> running = new ArrayList<>();
            for (Outcome outcome : before) {
                boolean left = outcome.state() == State.DONE || !wanted.test(outcome.cell());
                running.add(threads.submit(() -> left ? outcome : run(outcome, backends, play, listener, ended)));
            }
            List<Outcome> after = new ArrayList<>();
            for (Future<Outcome> cell : running) {
                after.add(cell.get());
            }
            return after;
        } catch (ExecutionException e) {
            throw new IllegalStateException("a cell ended without an outcome", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while cells were run", e);
        } finally {
            threads.shutdownNow();
        }
    }

    private Outcome run(
            Outcome before, Supplier<Backend> backends, PlaySettings play, Listener listener, BooleanSupplier stop) {
        Cell cell = before.cell();
        if (stop.getAsBoolean()) {
            return before;
        }
        Outcome outcome;
        try (Backend backend = backends.get()) {
            CellRun run = new CellRun(cell, runDirectory(cell), episodes, provenance);
            CellResult result = run.play(
                    backend,
                    play,
                    steps -> listener.started(cell, steps),
                    progress -> listener.progressed(cell, progress),
                    stop);
            if (result != null) {
                result.write(resultFile(cell));
            }
            outcome = result == null ? outcome(cell) : new Outcome(cell, State.DONE, result, null);
        } catch (IOException | RuntimeException | Error failure) {
            // Of this cell: the others go on.
            outcome = new Outcome(cell, State.FAILED, null, failure);
        }
        listener.ended(outcome);
        return outcome;
    }

    /** Makes the directory and a file in it. */
    public void write(String file, String content) {
        try {
            write(directory.resolve(file), content);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + directory.resolve(file), e);
        }
    }

    /** Writes a file as a whole: where the process is killed meanwhile, or the disk is full, it is as it was. */
    static void write(Path file, String content) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        DurableFiles.write(file, content.getBytes(StandardCharsets.UTF_8));
    }
}
