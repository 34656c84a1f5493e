// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.fovea.io.Checkpoint;
import org.fovea.io.DurableFiles;
import org.jspecify.annotations.Nullable;

/**
 * What a run directory tells by its files alone: nothing of it is executed, its environment need not be known here, and it may be of
 * another machine, still being written, or half deleted.
 *
 * @param settings as {@link RunSpec#save} has them, hyper-parameters by their own names; empty where there is neither a checkpoint nor
 *     a {@link ConfigFile} yet
 * @param changes made when it was resumed
 * @param steps taken
 * @param totalSteps that it has to take, 0 if unknown
 * @param score the newest there is
 * @param progress the newest line of its table, by column; empty if there is none
 * @param lastWritten when something of it was
 * @param outcome null if it has not ended, or was killed
 * @param problem what could not be read, empty if nothing
 */
public record RunSummary(
        Path directory,
        State state,
        Map<String, String> settings,
        List<SettingChange> changes,
        long steps,
        long totalSteps,
        Score score,
        Map<String, String> progress,
        Instant lastWritten,
        @Nullable RunOutcome outcome,
        String problem) {
    /** Of directories that are looked at; of those four deep, in which runs are, the files count as one deeper. */
    private static final int DEPTH = 5;

    /** More than a line of a table has. */
    private static final int TAIL_BYTES = 4096;

    private static final String CONFIG_PREFIX = "config.";

    /** What is saved of a {@link RunSpec} besides hyper-parameters. */
    private static final List<String> OF_THE_RUN =
            List.of("environment", "algorithm", "policy", "steps", "environments", "seed");

    /** How far a run is. */
    public enum State {
        /** A process of this machine is training it. */
        RUNNING,
        /** It took all its steps, or reached its target. */
        DONE,
        /** It was stopped, ran out of time or was killed, and can go on. */
        INTERRUPTED,
        /** It ended with an error. */
        FAILED;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * A mean return.
     *
     * @param std of the returns, NaN if unknown
     * @param episodes that it is the mean of, 0 if unknown
     * @param source {@code final}, {@code evaluation} (during training) or {@code training}; empty if there is none
     */
    public record Score(double mean, double std, int episodes, String source) {
        /** Of a run in which no episode has ended. */
        public static final Score NONE = new Score(Double.NaN, Double.NaN, 0, "");
    }

    /** Whether a directory looks like that of a run. */
    public static boolean isRun(Path directory) {
        try {
            return Files.isRegularFile(directory.resolve(RunFiles.PROGRESS))
                    || Files.isRegularFile(directory.resolve(RunFiles.RESULT))
                    || Checkpoint.latest(directory).isPresent();
        } catch (IOException | UncheckedIOException e) {
            return false;
        }
    }

    /**
     * Looks at a run.
     *
     * @throws IOException if the directory is none of a run; the message says so
     */
    public static RunSummary read(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new NoSuchFileException(directory.toString(), null, "there is no such run directory");
        }
        if (!isRun(directory)) {
            throw new IOException(
                    directory + " is not a run: it has neither " + RunFiles.PROGRESS + " nor a checkpoint");
        }
        List<String> problems = new ArrayList<>();
        Map<String, String> metadata = or(Map.of(), problems, () -> Checkpoint.latestMetadata(directory));
        Map<String, String> settings =
                metadata.isEmpty() ? or(Map.of(), problems, () -> ofConfigFile(directory)) : settings(metadata);
        Optional<RunOutcome> outcome = or(Optional.empty(), problems, () -> RunOutcome.read(directory));
        Map<String, String> progress = or(Map.of(), problems, () -> lastRow(directory.resolve(RunFiles.PROGRESS)));
        Map<String, String> evaluation = or(Map.of(), problems, () -> lastRow(directory.resolve(RunFiles.EVALUATIONS)));
        long perIteration = number(settings, "environments") * number(settings, "rollout_steps");
        long total = perIteration == 0 ? 0 : Math.max(1, number(settings, "steps") / perIteration) * perIteration;
        long saved = number(metadata, "iteration") * perIteration;
        boolean isRunning = RunLock.isHeld(directory);
        State state = isRunning ? State.RUNNING : state(outcome, total > 0 && saved >= total);
        return new RunSummary(
                directory,
                state,
                settings,
                or(List.of(), problems, () -> SettingChange.restore(metadata)),
                isRunning || metadata.isEmpty() ? Math.max(saved, number(progress, "steps")) : saved,
                total,
                score(outcome, evaluation, progress),
                progress,
                lastWritten(directory),
                outcome.orElse(null),
                String.join("; ", problems));
    }

    private static State state(Optional<RunOutcome> outcome, boolean tookAllSteps) {
        if (outcome.isEmpty()) {
            return tookAllSteps ? State.DONE : State.INTERRUPTED;
        }
        TrainResult.End end = outcome.get().end();
        return end == null ? State.FAILED : end.isEarly() ? State.INTERRUPTED : State.DONE;
    }

    private static Score score(
            Optional<RunOutcome> outcome, Map<String, String> evaluation, Map<String, String> progress) {
        RunOutcome.Score last = outcome.map(RunOutcome::greedy).orElse(RunOutcome.Score.NONE);
        if (last.episodes() > 0) {
            return new Score(last.mean(), last.std(), last.episodes(), "final");
        }
        double evaluated = real(evaluation, "return_mean");
        if (Double.isFinite(evaluated)) {
            return new Score(
                    evaluated, real(evaluation, "return_std"), (int) number(evaluation, "episodes"), "evaluation");
        }
        double trained = real(progress, "mean_return");
        return Double.isFinite(trained) ? new Score(trained, Double.NaN, 0, "training") : Score.NONE;
    }

    /** A checkpoint's metadata without what is not of the {@link RunSpec}. */
    private static Map<String, String> settings(Map<String, String> metadata) {
        Map<String, String> settings = new LinkedHashMap<>();
        for (String key : OF_THE_RUN) {
            if (metadata.containsKey(key)) {
                settings.put(key, metadata.get(key));
            }
        }
        // In the order of their algorithm, and behind them those that another version has.
        for (Algorithm algorithm : Algorithm.values()) {
            for (String name : algorithm.hyperparameters()) {
                String value = metadata.get(CONFIG_PREFIX + name);
                if (value != null) {
                    settings.put(name, value);
                }
            }
        }
        metadata.forEach((key, value) -> {
            if (key.startsWith(CONFIG_PREFIX)) {
                settings.putIfAbsent(key.substring(CONFIG_PREFIX.length()), value);
            }
        });
        return settings;
    }

    private static Map<String, String> ofConfigFile(Path directory) throws IOException {
        Map<String, String> settings = new LinkedHashMap<>();
        Path file = directory.resolve(RunFiles.CONFIG);
        if (Files.isRegularFile(file)) {
            for (ConfigFile.Entry entry : ConfigFile.read(file).entries()) {
                String name = switch (entry.key()) {
                    case "env" -> "environment";
                    case "algo" -> "algorithm";
                    case "envs" -> "environments";
                    default -> entry.key();
                };
                if (OF_THE_RUN.contains(name)) {
                    entry.values().forEach(value -> settings.put(name, value));
                }
                if (entry.key().equals(ConfigFile.SET)) {
                    settings.putAll(entry.members());
                }
            }
        }
        return settings;
    }

    /** The last whole line of a table, by column; empty if there is none. */
    private static Map<String, String> lastRow(Path table) throws IOException {
        if (!Files.isRegularFile(table)) {
            return Map.of();
        }
        try (FileChannel file = FileChannel.open(table, StandardOpenOption.READ)) {
            long length = file.size();
            String tail = text(file, Math.max(0, length - TAIL_BYTES));
            String head = length <= TAIL_BYTES ? tail : text(file, 0);
            // A file of one endless line is none of a run, and is not to be read to its end.
            String header = head.substring(0, Math.max(0, head.indexOf('\n'))).strip();
            String whole = tail.substring(0, tail.lastIndexOf('\n') + 1).strip();
            String last = whole.substring(whole.lastIndexOf('\n') + 1);
            Map<String, String> row = new LinkedHashMap<>();
            if (!header.isEmpty() && !last.equals(header)) {
                String[] names = header.split(",", -1);
                String[] cells = last.strip().split(",", -1);
                for (int i = 0; i < Math.min(names.length, cells.length); i++) {
                    row.put(names[i], cells[i]);
                }
            }
            return row;
        }
    }

    /** At most {@value #TAIL_BYTES} bytes from a place on. */
    private static String text(FileChannel file, long from) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(TAIL_BYTES);
        while (bytes.hasRemaining() && file.read(bytes, from + bytes.position()) > 0) {
            // Reads on.
        }
        return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
    }

    private static Instant lastWritten(Path directory) throws IOException {
        Instant last = Files.getLastModifiedTime(directory).toInstant();
        for (String name : List.of(RunFiles.PROGRESS, RunFiles.RESULT)) {
            Path file = directory.resolve(name);
            if (Files.exists(file)) {
                Instant written = Files.getLastModifiedTime(file).toInstant();
                last = written.isAfter(last) ? written : last;
            }
        }
        return last;
    }

    private static long number(Map<String, String> values, String key) {
        String text = values.getOrDefault(key, "");
        return text.matches("\\d{1,18}") ? Long.parseLong(text) : 0;
    }

    private static double real(Map<String, String> values, String key) {
        try {
            return Double.parseDouble(values.getOrDefault(key, "NaN"));
        } catch (NumberFormatException e) {
            return Double.NaN;
        }
    }

    private interface Part<T> {
        T read() throws IOException;
    }

    /** What is read, or something else where it is damaged, or is just being replaced. */
    private static <T> T or(T otherwise, List<String> problems, Part<T> part) {
        try {
            return part.read();
        } catch (NoSuchFileException deleted) {
            return otherwise;
        } catch (IOException e) {
            problems.add(DurableFiles.describe(e));
            return otherwise;
        } catch (RuntimeException e) {
            problems.add(String.valueOf(e.getMessage()));
            return otherwise;
        }
    }

    /**
     * All runs in a directory and in those within, in the order of their paths. Symbolic links aren't followed, and what can't be
     * read is passed over.
     */
    public static List<RunSummary> list(Path root) throws IOException {
        List<Path> directories = new ArrayList<>();
        Files.walkFileTree(root, Set.of(), DEPTH, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
                boolean isHidden = directory.getFileName() != null
                        && directory.getFileName().toString().startsWith(".");
                if (isHidden && !directory.equals(root)) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
                if (isRun(directory)) {
                    directories.add(directory);
                    return FileVisitResult.SKIP_SUBTREE;
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException failure) {
                return FileVisitResult.CONTINUE;
            }
        });
        return directories.parallelStream()
                .map(RunSummary::readIfThere)
                .flatMap(Optional::stream)
                .sorted(Comparator.comparing(RunSummary::directory))
                .toList();
    }

    private static Optional<RunSummary> readIfThere(Path directory) {
        try {
            return Optional.of(read(directory));
        } catch (IOException deleted) {
            return Optional.empty();
        }
    }
}
