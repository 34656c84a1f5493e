// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.fovea.rl.chart.Drawing;
import org.fovea.rl.chart.LineChart;
import org.fovea.rl.experiment.Curve;
import org.fovea.rl.run.RunFiles;
import org.fovea.rl.run.RunSummary;
import org.fovea.rl.run.TrainingTime;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Draws learning curves. */
@Command(
        name = "plot",
        sortOptions = false,
        header =
                "Draw a column of the tables of runs over their steps or time: runs that differ in their seed alone as one line, their"
                        + " mean, with a band of their standard deviation.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea plot runs/seed1 runs/seed2 runs/seed3 -o curves.png",
            "  fovea plot runs -o curves.svg --filter env=CartPole-v1",
            "  fovea plot runs/mine -o kl.svg --column approximate_kl --x time",
            "  fovea plot runs/mine -o evaluations.svg --evaluations"
        })
final class PlotCommand implements Callable<Integer> {
    private static final String RETURN = "mean_return";

    private final Terminal terminal;

    @Parameters(paramLabel = "RUN", arity = "1..*", description = "Directories of runs, or of many.")
    private List<Path> directories = List.of();

    @Option(names = "-o", paramLabel = "FILE", required = true, description = "The picture, .png or .svg.")
    @SuppressWarnings("NullAway.Init")
    private Path file;

    @Option(
            names = "--column",
            paramLabel = "NAME",
            description =
                    "Of progress.csv, or with --evaluations of evaluations.csv (default: mean_return, return_mean).")
    private @Nullable String column;

    @Option(names = "--evaluations", description = "Of the evaluations during training, in place of training itself.")
    private boolean evaluations;

    @Option(
            names = "--x",
            paramLabel = "AXIS",
            description = "Over steps, or time: seconds of training, pauses left out (default: steps).")
    private String axis = "steps";

    @Option(names = "--each", description = "A line for each run.")
    private boolean each;

    @Option(names = "--filter", paramLabel = "WHAT", description = "Only such runs, as in fovea runs. May be repeated.")
    private List<String> conditions = List.of();

    @Option(
            names = "--title",
            paramLabel = "TEXT",
            description = "Above the picture (default: what the runs have in common).")
    private @Nullable String title;

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    PlotCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        UsageException.ifIllegal(() -> {
            Drawing.requirePicture(file);
            return file;
        });
        boolean isOverTime = axis.equals("time");
        if (!isOverTime && !axis.equals("steps")) {
            throw new UsageException("--x must be steps or time, got " + axis);
        }
        List<RunSummary> runs = runs();
        String table = evaluations ? RunFiles.EVALUATIONS : RunFiles.PROGRESS;
        String name = column != null ? column : evaluations ? "return_mean" : RETURN;
        Map<Map<String, String>, List<RunSummary>> groups = new LinkedHashMap<>();
        for (RunSummary run : runs) {
            Map<String, String> settings = new LinkedHashMap<>(RunList.values(run));
            settings.keySet().removeAll(RunList.NOT_SETTINGS);
            settings.remove("seed");
            if (each) {
                settings.put("run", RunList.name(run.directory()));
            }
            groups.computeIfAbsent(settings, key -> new ArrayList<>()).add(run);
        }
        List<LineChart.Line> lines = new ArrayList<>();
        int drawn = 0;
        for (Map.Entry<Map<String, String>, List<RunSummary>> group : groups.entrySet()) {
            List<Curve> curves = new ArrayList<>();
            for (RunSummary run : group.getValue()) {
                Curve curve = curve(run, table, name);
                curves.add(isOverTime ? curve.over(TrainingTime.read(run.directory())) : curve);
            }
            String label = label(group.getKey(), group.getValue(), groups.keySet());
            Optional<LineChart.Line> line = Curve.line(label, curves, Curve.Spread.MEAN_AND_DEVIATION);
            if (line.isPresent()) {
                lines.add(line.get());
                drawn += group.getValue().size();
            }
        }
        if (lines.isEmpty()) {
            throw new UsageException("there is nothing to draw: " + table + " of "
                    + (runs.size() == 1 ? RunList.name(runs.get(0).directory()) : runs.size() + " runs") + " has no "
                    + name + (evaluations ? " (train --eval-every)" : " yet"));
        }
        String subtitle = (evaluations ? "evaluations during training" : "training, with sampled actions")
                + (drawn > lines.size() ? ": mean of the runs and their standard deviation" : "");
        LineChart chart = new LineChart(
                title != null ? title : common(groups.keySet()),
                subtitle,
                isOverTime ? "seconds of training" : LineChart.STEPS,
                name.equals(RETURN) || name.equals("return_mean") ? "return of an episode" : name,
                lines,
                List.of());
        chart.write(file);
        terminal.notices()
                .println(lines.size() + (lines.size() == 1 ? " line" : " lines") + " of " + drawn
                        + (drawn == 1 ? " run" : " runs") + " in " + file);
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("file", file.toString())
                            .withArray(
                                    "lines",
                                    lines.stream().map(LineChart.Line::label).toList())
                            .with("runs", drawn));
        }
        return 0;
    }

    private List<RunSummary> runs() throws IOException {
        Set<Path> seen = new LinkedHashSet<>();
        List<RunSummary> runs = new ArrayList<>();
        for (Path directory : directories) {
            boolean isOfMany = Files.isDirectory(directory) && !RunSummary.isRun(directory);
            for (RunSummary run : isOfMany ? RunSummary.list(directory) : List.of(RunList.read(directory))) {
                if (seen.add(run.directory().toRealPath())) {
                    runs.add(run);
                }
            }
        }
        List<RunSummary> wanted = RunList.filtered(runs, conditions);
        if (wanted.isEmpty()) {
            throw new UsageException(
                    runs.isEmpty()
                            ? "there is no run in " + directories.get(0)
                            : "none of " + runs.size() + " runs is of that kind");
        }
        return wanted;
    }

    private static Curve curve(RunSummary run, String table, String column) throws IOException {
        try {
            return UsageException.ifIllegal(() -> Curve.of(run.directory().resolve(table), column));
        } catch (NoSuchFileException e) {
            return new Curve(new double[0], new double[0]);
        }
    }

    /** What sets a group apart from the others, and how many runs it has. */
    private static String label(Map<String, String> settings, List<RunSummary> runs, Set<Map<String, String>> all) {
        String differing = settings.entrySet().stream()
                .filter(setting ->
                        all.stream().anyMatch(other -> !setting.getValue().equals(other.get(setting.getKey()))))
                .map(setting -> setting.getKey().equals("run")
                        ? setting.getValue()
                        : setting.getKey() + "=" + setting.getValue())
                .collect(Collectors.joining(" "));
        String name = differing.isEmpty() ? RunList.name(runs.get(0).directory()) : Terminal.printable(differing);
        return runs.size() == 1 ? name : (differing.isEmpty() ? "" : name + ", ") + runs.size() + " runs";
    }

    private static String common(Set<Map<String, String>> groups) {
        List<String> parts = new ArrayList<>();
        for (String key : List.of("env", "algo", "policy")) {
            Set<String> values = groups.stream()
                    .map(group -> group.getOrDefault(key, ""))
                    .collect(Collectors.toCollection(LinkedHashSet::new));
            if (values.size() == 1) {
                parts.add(Terminal.printable(values.iterator().next()) + (key.equals("policy") ? " policy" : ""));
            }
        }
        return String.join(", ", parts);
    }
}
