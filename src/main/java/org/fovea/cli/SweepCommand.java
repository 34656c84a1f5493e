// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.fovea.env.Environments;
import org.fovea.rl.chart.LineChart;
import org.fovea.rl.experiment.CellResult;
import org.fovea.rl.experiment.Experiment;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Group;
import org.fovea.rl.experiment.ScoreStatistics;
import org.fovea.rl.experiment.Sweep;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.RunSpec;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Trains one task with many settings. */
@Command(
        name = "sweep",
        sortOptions = false,
        abbreviateSynopsis = true,
        header = "Train with many settings and some seeds each, side by side, and compare them.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea sweep --env CartPole-v1 --policy mlp --steps 50000 --grid lr=1e-4,3e-4,1e-3 --grid epochs=4,8",
            "  fovea sweep --env Pendulum-v1 --policy mlp --random 20 --grid lr=log:1e-4..1e-2 --grid gamma=0.9,0.95,0.99",
            "A sweep that was stopped or killed goes on if the same command is given with its --out."
        })
final class SweepCommand implements Callable<Integer> {
    /** More lines than that are no picture. */
    private static final int MOST_CURVES = 8;

    private final Terminal terminal;
    private final Interruption interruption;

    @ArgGroup(validate = false, heading = "%nWhat is trained:%n")
    private RunOptions run = new RunOptions();

    @ArgGroup(validate = false, heading = "%nMore about the environment:%n")
    private EnvironmentOptions environmentOptions = new EnvironmentOptions();

    @Option(
            names = "--grid",
            paramLabel = "KEY=VALUES",
            description =
                    "What is varied: a hyper-parameter, steps or envs, and its values, as in lr=1e-4,3e-4, or with"
                            + " --random a range, as in clip=0.1..0.3 or lr=log:1e-5..1e-2. May be repeated: all combinations are"
                            + " trained.")
    private String[] grid = {};

    @Option(
            names = "--random",
            paramLabel = "N",
            description = "Draw so many combinations in place of all; --seed decides which.")
    private @Nullable Integer random;

    @Option(
            names = "--seeds",
            paramLabel = "N",
            defaultValue = "3",
            description = "Seeds of each, from --seed on (default: 3).")
    private int seeds;

    @Option(
            names = "--episodes",
            paramLabel = "N",
            defaultValue = "100",
            description =
                    "Episodes by which each final policy is scored, greedily and with sampled actions (default: 100).")
    private int episodes;

    @Option(
            names = "--time-limit",
            paramLabel = "TIME",
            description = "Stop after so many minutes, or after 90s, 10m, 1h30m; it can go on (default: none).")
    private @Nullable String timeLimit;

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Mixin
    private ExperimentOptions experimentOptions = new ExperimentOptions();

    @ArgGroup(validate = false, heading = "%nWhere it runs:%n")
    private BackendOptions device = new BackendOptions();

    SweepCommand(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    @Override
    public Integer call() throws IOException {
        Settings set = Settings.ofTraining(run.settings);
        environmentOptions.apply();
        experimentOptions.applyStepTimeout(terminal);
        String environment = run.environment(environmentOptions);
        try {
            if (set.isHelp()) {
                SettingsHelp.print(terminal, Defaults.of(environment, run.algorithmKind(), run.policyKind()));
                return 0;
            }
            return start(environment, set);
        } finally {
            Environments.get(environment).closeUnused();
        }
    }

    private int start(String environment, Settings set) throws IOException {
        double limit = timeLimit == null ? Double.POSITIVE_INFINITY : NumberFormats.seconds("--time-limit", timeLimit);
        RunSpec base = UsageException.ifIllegal(() -> run.spec(environment, set.hyperparameters()));
        Sweep sweep = UsageException.ifIllegal(() -> sweep(base, set.hyperparameters()));
        Path out = directory(base);
        Experiment experiment = UsageException.ifIllegal(() -> experimentOptions.experiment(
                out,
                sweep.cells(base, seeds, spec -> Defaults.fitMinibatches(spec, given(sweep, set.hyperparameters()))),
                episodes));
        return experimentOptions.run(
                terminal,
                interruption,
                experiment,
                String.format(
                        Locale.ROOT,
                        "%s: %,d settings x %d seeds of %,d steps, in %s",
                        title(base),
                        sweep.variants().size(),
                        seeds,
                        base.steps(),
                        out),
                device,
                environmentOptions,
                set.backend(),
                limit,
                outcomes -> report(base, sweep, experiment, outcomes, out));
    }

    private Sweep sweep(RunSpec base, Map<String, String> set) {
        List<String> axes = List.of(grid);
        Sweep sweep = random == null ? Sweep.grid(axes, base) : Sweep.random(axes, random, base.seed(), base);
        Set<String> both = given(sweep, Map.of());
        Set<String> alone = new HashSet<>(set.keySet());
        if (run.steps != null) {
            alone.add("steps");
        }
        if (run.environments != null) {
            alone.add("envs");
        }
        both.retainAll(alone);
        if (!both.isEmpty()) {
            throw new UsageException(both.iterator().next() + " is varied by --grid, and set to one value as well");
        }
        return sweep;
    }

    /** What no default replaces. */
    private static Set<String> given(Sweep sweep, Map<String, String> set) {
        Set<String> given = new HashSet<>(set.keySet());
        sweep.variants().forEach(variant -> given.addAll(variant.keySet()));
        return given;
    }

    private static String title(RunSpec base) {
        return base.environment() + ", " + base.config().algorithm() + ", " + base.policy() + " policy";
    }

    private Path directory(RunSpec base) {
        return experimentOptions.directory("sweep-" + base.environment().replaceAll("[^A-Za-z0-9._-]+", "-") + "-"
                + base.config().algorithm() + "-" + base.policy());
    }

    private void report(RunSpec base, Sweep sweep, Experiment experiment, List<Outcome> outcomes, Path out) {
        PrintStream print = terminal.report(json);
        List<Group> groups = Group.of(outcomes);
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < groups.size(); i++) {
            Map<String, String> variant = sweep.variants().get(i);
            rows.add(new Row(
                    groups.get(i),
                    variant.entrySet().stream()
                            .map(entry -> entry.getKey() + "=" + entry.getValue())
                            .collect(Collectors.joining(" ")),
                    ScoreStatistics.interquartileMean(List.of(groups.get(i).greedy()))));
        }
        // What has no score yet comes last.
        rows.sort(Comparator.comparing(
                        (Row row) -> Double.isNaN(row.greedy.value()) ? Double.NEGATIVE_INFINITY : row.greedy.value())
                .reversed());
        List<List<String>> table = new ArrayList<>();
        table.add(List.of("run", "settings", "seeds", "median", "IQM", "95 % interval", "sampled IQM", "seconds", ""));
        List<LineChart.Line> lines = new ArrayList<>();
        List<Json> results = new ArrayList<>();
        for (Row row : rows) {
            Group group = row.group;
            table.add(List.of(
                    group.name(),
                    row.settings,
                    Integer.toString(group.results().size()),
                    NumberFormats.score(ScoreStatistics.median(group.greedy())),
                    NumberFormats.score(row.greedy.value()),
                    Double.isNaN(row.greedy.value())
                            ? "-"
                            : NumberFormats.score(row.greedy.low()) + " to " + NumberFormats.score(row.greedy.high()),
                    NumberFormats.score(ScoreStatistics.interquartileMean(group.sampled())),
                    NumberFormats.count(ScoreStatistics.median(group.of(CellResult::seconds))),
                    group.missing()));
            if (lines.size() < MOST_CURVES) {
                group.curve(row.settings).ifPresent(lines::add);
            }
            results.add(json(row));
        }
        print.println();
        Table.printWithHeading(terminal, print, table);
        Json whole = new Json()
                .with("env", base.environment())
                .with("algo", base.config().algorithm().toString())
                .with("policy", base.policy().toString())
                .with("results", results)
                .with("directory", out.toString());
        experiment.write("sweep.json", whole + "\n");
        if (!lines.isEmpty()) {
            experiment.write("sweep.svg", new LineChart(title(base), Group.CURVE, lines, List.of()).svg());
            print.println("learning curves   " + out.resolve("sweep.svg"));
        }
        if (json) {
            terminal.out().println(whole);
        }
    }

    /** A line of the table. */
    private record Row(Group group, String settings, ScoreStatistics.Estimate greedy) {}

    private static Json json(Row row) {
        Json scores = new Json();
        row.group
                .results()
                .forEach(result -> scores.with(
                        Long.toString(result.seed()), result.greedy().mean()));
        return new Json()
                .with("run", row.group.name())
                .with("settings", row.settings)
                .with("missing", row.group.missing())
                .with("greedy_by_seed", scores)
                .with("greedy_median", ScoreStatistics.median(row.group.greedy()))
                .with("greedy_iqm", row.greedy.value())
                .with("greedy_iqm_low", row.greedy.low())
                .with("greedy_iqm_high", row.greedy.high())
                .with("sampled_iqm", ScoreStatistics.interquartileMean(row.group.sampled()))
                .with("seconds", ScoreStatistics.median(row.group.of(CellResult::seconds)));
    }
}
