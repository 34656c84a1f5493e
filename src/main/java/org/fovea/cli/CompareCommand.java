// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.fovea.rl.run.RunOutcome;
import org.fovea.rl.run.RunSummary;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Puts runs beside each other. */
@Command(
        name = "compare",
        header = "Compare runs: what differs in their settings, and their scores with their spread.",
        footerHeading = "%nExample:%n",
        footer = "  fovea compare runs/mlp runs/attention")
final class CompareCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Parameters(paramLabel = "RUN", arity = "2..*", description = "Directories of two or more runs.")
    private List<Path> directories = List.of();

    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    CompareCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        List<RunSummary> runs = new ArrayList<>();
        for (Path directory : directories) {
            runs.add(RunList.read(directory));
        }
        List<List<String>> differences = new ArrayList<>();
        Set<String> keys = new LinkedHashSet<>();
        runs.forEach(run -> keys.addAll(RunList.values(run).keySet()));
        keys.removeAll(RunList.NOT_SETTINGS);
        for (String key : keys) {
            List<String> row = row(key, runs, run -> RunList.setting(run, key));
            if (row.subList(1, row.size()).stream().distinct().count() > 1) {
                differences.add(row);
            }
        }
        if (json) {
            terminal.out().println(json(runs, differences));
            return 0;
        }
        List<List<String>> rows = new ArrayList<>();
        rows.add(row("", runs, run -> RunList.name(run.directory())));
        rows.addAll(differences);
        rows.add(row("", runs, run -> ""));
        rows.add(row("state", runs, run -> RunList.state(terminal, run.state())));
        rows.add(row("steps taken", runs, RunList::steps));
        rows.add(row(
                "return",
                runs,
                run -> spread(run.score().mean(), run.score().std(), run.score().episodes())));
        rows.add(row("  of", runs, run -> run.score().source()));
        rows.add(row(
                "return, sampled",
                runs,
                run -> outcome(
                        run,
                        o -> spread(
                                o.sampled().mean(),
                                o.sampled().std(),
                                o.sampled().episodes()))));
        rows.add(row(
                "best in training",
                runs,
                run -> outcome(run, o -> NumberFormats.score(o.best().meanReturn()))));
        rows.add(row(
                "steps per second",
                runs,
                run -> outcome(run, o -> NumberFormats.count(o.throughput().train()))));
        rows.add(row("time", runs, run -> outcome(run, o -> NumberFormats.duration(o.seconds()))));
        Table.printWithHeading(terminal, terminal.out(), rows);
        terminal.out().println();
        terminal.out()
                .println(
                        differences.isEmpty()
                                ? "their settings are the same"
                                : "return: mean, standard deviation of the episodes in parentheses");
        difference(runs);
        return 0;
    }

    /** Of two runs, how far apart their scores are, if it is known how sure each is. */
    private void difference(List<RunSummary> runs) {
        if (runs.size() != 2) {
            return;
        }
        RunSummary.Score first = runs.get(0).score();
        RunSummary.Score second = runs.get(1).score();
        if (first.episodes() > 1 && second.episodes() > 1) {
            double error = Math.hypot(
                    first.std() / Math.sqrt(first.episodes() - 1.0), second.std() / Math.sqrt(second.episodes() - 1.0));
            terminal.out()
                    .printf(
                            Locale.ROOT,
                            "difference of the second from the first: %+.2f, standard error %.2f%n",
                            second.mean() - first.mean(),
                            error);
        }
    }

    private static List<String> row(String label, List<RunSummary> runs, Function<RunSummary, String> cell) {
        List<String> row = new ArrayList<>(List.of(label));
        runs.forEach(run -> row.add(cell.apply(run)));
        return row;
    }

    private static String outcome(RunSummary run, Function<RunOutcome, String> cell) {
        return run.outcome() == null ? "-" : cell.apply(run.outcome());
    }

    private static String spread(double mean, double std, int episodes) {
        return NumberFormats.score(mean)
                + (episodes > 0 && !Double.isNaN(std) ? " (" + NumberFormats.score(std) + ")" : "");
    }

    private static Json json(List<RunSummary> runs, List<List<String>> differences) {
        List<Json> settings = new ArrayList<>();
        for (List<String> difference : differences) {
            Json values = new Json();
            for (int i = 0; i < runs.size(); i++) {
                values.with(RunList.name(runs.get(i).directory()), difference.get(i + 1));
            }
            settings.add(new Json().with("setting", difference.get(0)).with("values", values));
        }
        List<Json> scores = new ArrayList<>();
        for (RunSummary run : runs) {
            Json one = RunList.json(run);
            scores.add(run.outcome() == null ? one : one.with("outcome", ShowCommand.outcome(run.outcome())));
        }
        return new Json().with("differences", settings).with("runs", scores);
    }
}
