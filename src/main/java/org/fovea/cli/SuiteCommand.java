// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.fovea.rl.experiment.Cell;
import org.fovea.rl.experiment.CellResult;
import org.fovea.rl.experiment.Experiment;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Suite;
import org.fovea.rl.experiment.Suite.Entry;
import org.fovea.rl.experiment.SuiteReport;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Trains the tasks of a suite by default settings. */
@Command(
        name = "suite",
        sortOptions = false,
        abbreviateSynopsis = true,
        header = "Train a suite of tasks by default settings, and compare the scores with what others reached.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea suite classic --quick             what a few minutes suffice for, one seed each",
            "  fovea suite memory --budget 30          as much as half an hour suffices for; the same command goes on",
            "  fovea suite popgym --seeds 1 --out docs/results/popgym"
        })
final class SuiteCommand implements Callable<Integer> {
    private static final int EPISODES = 1000;
    private static final int QUICK_EPISODES = 100;
    private static final int SEEDS = 3;

    private final Terminal terminal;
    private final Interruption interruption;

    @Parameters(paramLabel = "SUITE", description = "classic, memory, popgym, spatial or gym.")
    @SuppressWarnings("NullAway.Init")
    private String name;

    @Option(names = "--seeds", paramLabel = "N", description = "Seeds of each (default: 3, with --quick 1).")
    private @Nullable Integer seeds;

    @Option(
            names = "--budget",
            paramLabel = "MINUTES",
            description = "Stop after that time, also 90s or 1h30m; it can go on (default: none).")
    private @Nullable String budget;

    @Option(
            names = "--quick",
            description = "Only tasks of at most 500,000 steps, one seed, 100 episodes of each evaluation, not 1,000.")
    private boolean quick;

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Mixin
    private ExperimentOptions experimentOptions = new ExperimentOptions();

    @ArgGroup(validate = false, heading = "%nHow environments are played:%n")
    private PlayOptions play = new PlayOptions();

    @ArgGroup(validate = false, heading = "%nWhere it runs:%n")
    private BackendOptions device = new BackendOptions();

    SuiteCommand(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    @Override
    public Integer call() throws IOException {
        Suite suite = Suite.of(name);
        double seconds = budget == null ? Double.POSITIVE_INFINITY : NumberFormats.seconds("--budget", budget);
        play.apply();
        experimentOptions.applyStepTimeout(terminal);
        Map<Entry, String> notRun = new LinkedHashMap<>();
        List<Entry> run = new ArrayList<>();
        for (Entry entry : suite.entries()) {
            String reason = entry.unavailable();
            if (!reason.isEmpty()) {
                notRun.put(entry, "not available: " + reason);
            } else if (quick && !entry.isQuick()) {
                notRun.put(entry, "not run, too long for --quick");
            } else {
                run.add(entry);
            }
        }
        List<Cell> cells = UsageException.ifIllegal(() -> Suite.cells(run, seeds != null ? seeds : quick ? 1 : SEEDS));
        Path out = experimentOptions.directory("suite-" + name);
        Experiment experiment = experimentOptions.experiment(out, cells, quick ? QUICK_EPISODES : EPISODES);
        return experimentOptions.run(
                terminal,
                interruption,
                experiment,
                "suite " + name + ": " + cells.size() + " runs, in " + out,
                device,
                play,
                Map.of(),
                seconds,
                outcomes -> report(suite, notRun, experiment, outcomes, out));
    }

    private void report(
            Suite suite, Map<Entry, String> notRun, Experiment experiment, List<Outcome> outcomes, Path out) {
        PrintStream print = terminal.report(json);
        SuiteReport report = SuiteReport.of(suite, notRun, outcomes);
        String text = report.markdown();
        print.println();
        print.print(text);
        experiment.write("README.md", text);
        report.pictures().forEach(experiment::write);
        print.println();
        print.println("written to " + out.resolve("README.md") + ", learning curves to " + out.resolve("curves"));
        if (json) {
            List<Json> results = new ArrayList<>();
            report.groups().forEach((entry, group) -> {
                Json greedy = new Json();
                Json sampled = new Json();
                Json settings = new Json();
                entry.settings().forEach(settings::with);
                for (CellResult result : group.results()) {
                    greedy.with(Long.toString(result.seed()), result.greedy().mean());
                    sampled.with(Long.toString(result.seed()), result.sampled().mean());
                }
                results.add(new Json()
                        .with("env", entry.environment())
                        .with("algo", entry.algorithm().toString())
                        .with("policy", entry.policy().toString())
                        .with("settings", settings)
                        .with("steps", entry.steps())
                        .with("missing", group.missing())
                        .with("greedy_by_seed", greedy)
                        .with("sampled_by_seed", sampled));
            });
            List<Json> missing = new ArrayList<>();
            notRun.forEach((entry, reason) ->
                    missing.add(new Json().with("cell", entry.group()).with("reason", reason)));
            terminal.out()
                    .println(new Json()
                            .with("suite", suite.name())
                            .with("results", results)
                            .with("not_run", missing)
                            .with("directory", out.toString()));
        }
    }
}
