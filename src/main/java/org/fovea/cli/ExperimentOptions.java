// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.fovea.rl.experiment.Cell;
import org.fovea.rl.experiment.Experiment;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Experiment.State;
import org.fovea.rl.experiment.Provenance;
import org.fovea.rl.rollout.PlaySettings;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Options of the commands that run many cells, and how these are run: side by side, told of, ended in order. */
final class ExperimentOptions {
    private static final String LEFT = "The same command goes on with them";

    @Option(
            names = "--jobs",
            paramLabel = "N",
            description = "Runs side by side, each on a thread of its own (default: one per core).")
    private @Nullable Integer jobs;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description =
                    "Directory; where it holds what the same command left, that goes on (default: one under runs/).")
    private @Nullable Path directory;

    @Option(
            names = "--only",
            paramLabel = "TEXT",
            split = ",",
            description =
                    "Run those alone whose names contain the text, or one of several with commas between: "
                            + "--only attention-seed1. A whole name is that run's alone. What the others have is told of too (default: all).")
    private List<String> only = List.of("");

    @Option(names = "--list", description = "Print the names of the runs, one a line, and run none.")
    private boolean list;

    @Mixin
    private StepTimeoutOption stepTimeout = new StepTimeoutOption();

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init")
    private CommandSpec command;

    /** Of environments that are made from now on. */
    void applyStepTimeout(Terminal terminal) {
        stepTimeout.apply(terminal, () -> LEFT);
    }

    Path directory(String otherwise) {
        return directory == null ? Path.of("runs", otherwise) : directory;
    }

    /** An experiment in that directory, whose results say by which arguments they were made. */
    Experiment experiment(Path out, List<Cell> cells, int episodes) {
        String arguments =
                String.join(" ", command.commandLine().getParseResult().originalArgs());
        Optional<Path> home =
                Optional.ofNullable(System.getProperty("fovea.home")).map(Path::of);
        return new Experiment(out, cells, episodes, Provenance.here("fovea " + arguments, home));
    }

    /**
     * Runs the cells. What cannot be is refused before anything is written.
     *
     * @param title told before the first
     * @param results what is done with how far every cell is, whether or not all are done
     * @return exit code
     */
    int run(
            Terminal terminal,
            Interruption interruption,
            Experiment experiment,
            String title,
            BackendOptions device,
            PlayOptions play,
            Map<String, String> backendSettings,
            double maxSeconds,
            Consumer<List<Outcome>> results)
            throws IOException {
        if (list) {
            experiment.cells().forEach(cell -> terminal.out().println(cell.name()));
            return 0;
        }
        int cores = Runtime.getRuntime().availableProcessors();
        int atATime = jobs == null ? cores : jobs;
        if (atATime < 1) {
            throw new UsageException("--jobs must be at least 1, got " + atATime);
        }
        int threads = Math.max(1, cores / atATime);
        List<Outcome> before = UsageException.ifIllegal(experiment::outcomes);
        Predicate<Cell> wanted = wanted(experiment.cells());
        if (!before.isEmpty() && before.stream().map(Outcome::cell).noneMatch(wanted)) {
            throw new UsageException("--only " + String.join(",", only) + " is in no run's name; the first is "
                    + before.get(0).cell().name());
        }
        // One that is not there is so for all cells.
        device.open(terminal, backendSettings, threads).close();
        terminal.notices().println(title);
        ExperimentDisplay display = new ExperimentDisplay(terminal, before);
        return interruption.during("the runs", () -> LEFT, () -> {
            List<Outcome> after = experiment.run(
                    wanted,
                    atATime,
                    () -> device.open(terminal, backendSettings, threads),
                    new PlaySettings(play.environmentThreads(threads), PlaySettings.Overlap.AUTO, play.place()),
                    maxSeconds,
                    display,
                    interruption::requested);
            display.end();
            results.accept(after);
            return exitCode(terminal, interruption, after);
        });
    }

    /** Of names and parts of names: v1-seed1 is a part of v1-seed10 as well, and means the former where there is one. */
    private Predicate<Cell> wanted(List<Cell> cells) {
        Set<String> names = cells.stream().map(Cell::name).collect(Collectors.toSet());
        return cell -> only.stream()
                .anyMatch(text -> names.contains(text)
                        ? cell.name().equals(text)
                        : cell.name().contains(text));
    }

    private static int exitCode(Terminal terminal, Interruption interruption, List<Outcome> outcomes) {
        long done = outcomes.stream().filter(o -> o.state() == State.DONE).count();
        if (done < outcomes.size()) {
            terminal.notices()
                    .printf(
                            Locale.ROOT,
                            "%,d of %,d runs are done; the same command with the same --out goes on%n",
                            done,
                            outcomes.size());
        }
        if (interruption.requested()) {
            return TrainCommand.INTERRUPTED;
        }
        return outcomes.stream().anyMatch(o -> o.state() == State.FAILED) ? Failures.FAILED : 0;
    }
}
