// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.fovea.cli.Terminal.Style;
import org.fovea.env.EnvironmentException;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.RunFiles;
import org.fovea.rl.run.RunOutcome;
import org.fovea.rl.run.RunSummary;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Tells all that is known of a run. */
@Command(
        name = "show",
        header = "Show a run: its scores, speed, newest rollout and settings, those marked * that no default has.",
        footerHeading = "%nExample:%n",
        footer = "  fovea show runs/mine")
final class ShowCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Parameters(paramLabel = "RUN", description = "Directory of the run; fovea runs lists them.")
    @SuppressWarnings("NullAway.Init")
    private Path directory;

    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    ShowCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        RunSummary run = RunList.read(directory);
        if (json) {
            terminal.out().println(json(run));
        } else {
            print(run);
        }
        return 0;
    }

    private void print(RunSummary run) {
        PrintStream out = terminal.out();
        out.println(terminal.styled(Style.HEADING, RunList.name(directory)) + "   "
                + RunList.state(terminal, run.state()) + ", " + RunList.steps(run) + " steps, written "
                + RunList.age(run) + " ago");
        out.println(RunList.setting(run, "env") + ", " + RunList.setting(run, "algo") + ", "
                + RunList.setting(run, "policy") + " policy, seed " + RunList.setting(run, "seed"));
        if (!run.problem().isEmpty()) {
            out.println("damaged: " + Terminal.printable(run.problem()));
        }
        TrainReport.printChanges(out, run.changes());
        out.println();
        List<List<String>> rows = new ArrayList<>();
        RunOutcome outcome = run.outcome();
        if (outcome != null) {
            if (!outcome.failure().isEmpty()) {
                rows.add(List.of("failed", Terminal.printable(outcome.failure())));
            }
            score(rows, "final return, greedy", outcome.greedy());
            score(rows, "final return, sampled", outcome.sampled());
            if (outcome.best().steps() > 0) {
                rows.add(List.of(
                        "best during training",
                        NumberFormats.score(outcome.best().meanReturn()) + ", at step "
                                + NumberFormats.count(outcome.best().steps())));
            }
        }
        if (!run.score().source().equals("final") && !run.score().source().isEmpty()) {
            rows.add(List.of(
                    "newest return, of " + run.score().source(),
                    NumberFormats.score(run.score().mean())));
        }
        if (outcome != null && Double.isFinite(outcome.throughput().train())) {
            rows.add(List.of(
                    "steps per second", NumberFormats.count(outcome.throughput().train())));
            rows.add(List.of("time", NumberFormats.duration(outcome.seconds()) + " on " + outcome.backend()));
        }
        if (!rows.isEmpty()) {
            Table.print(out, rows);
            out.println();
        }
        table(out, "newest rollout", run.progress(), Map.of());
        table(out, "settings", settings(run), defaults(run));
        Path config = directory.resolve(RunFiles.CONFIG);
        if (Files.exists(config)) {
            out.println("the same again: fovea train --config " + RunList.name(config));
        }
    }

    private static void score(List<List<String>> rows, String label, RunOutcome.Score score) {
        if (score.episodes() > 0) {
            rows.add(List.of(
                    label,
                    NumberFormats.score(score.mean()) + ", " + NumberFormats.count(score.episodes())
                            + " episodes, standard deviation " + NumberFormats.score(score.std())));
        }
    }

    /** Those that are not the default's are marked. */
    private void table(PrintStream out, String heading, Map<String, String> values, Map<String, String> defaults) {
        if (values.isEmpty()) {
            return;
        }
        out.println(terminal.styled(Style.HEADING, heading));
        List<List<String>> rows = new ArrayList<>();
        values.forEach((key, value) -> {
            String usual = defaults.get(key);
            boolean isOther = usual != null && !Objects.equals(usual, value);
            rows.add(List.of(
                    (isOther ? "* " : "  ") + key, Terminal.printable(value), isOther ? "default " + usual : ""));
        });
        Table.print(out, rows);
        out.println();
    }

    private static Map<String, String> settings(RunSummary run) {
        Map<String, String> settings = new LinkedHashMap<>(RunList.values(run));
        settings.keySet().removeAll(RunList.NOT_SETTINGS);
        settings.keySet().removeAll(List.of("env", "algo", "policy"));
        return settings;
    }

    /** Nothing where the environment is not known here. */
    private static Map<String, String> defaults(RunSummary run) {
        try {
            Map<String, String> defaults = new LinkedHashMap<>();
            Defaults.of(
                            RunList.setting(run, "env"),
                            Algorithm.of(RunList.setting(run, "algo")),
                            PolicyKind.of(RunList.setting(run, "policy")))
                    .save()
                    .forEach((key, value) -> defaults.put(key.replaceFirst("^config\\.", ""), value));
            defaults.put("envs", defaults.getOrDefault("environments", ""));
            return defaults;
        } catch (IllegalArgumentException | EnvironmentException unknown) {
            return Map.of();
        }
    }

    private static Json json(RunSummary run) {
        Json settings = new Json();
        settings(run).forEach(settings::with);
        Json newest = new Json();
        run.progress().forEach((key, value) -> newest.with(key, number(value)));
        Json json = RunList.json(run)
                .with("settings", settings)
                .with("changes", TrainReport.json(run.changes()))
                .with("progress", newest);
        RunOutcome outcome = run.outcome();
        return outcome == null ? json : json.with("outcome", outcome(outcome));
    }

    private static double number(@Nullable String text) {
        try {
            return Double.parseDouble(String.valueOf(text));
        } catch (NumberFormatException e) {
            return Double.NaN;
        }
    }

    static Json outcome(RunOutcome outcome) {
        return new Json()
                .with(
                        "end",
                        outcome.end() == null ? "failed" : outcome.end().name().toLowerCase(Locale.ROOT))
                .with("failure", outcome.failure())
                .with("return_mean", outcome.greedy().mean())
                .with("return_std", outcome.greedy().std())
                .with("return_episodes", outcome.greedy().episodes())
                .with("return_mean_sampled", outcome.sampled().mean())
                .with("return_std_sampled", outcome.sampled().std())
                .with("return_mean_best", outcome.best().meanReturn())
                .with("best_steps", outcome.best().steps())
                .with("seconds", outcome.seconds())
                .with(
                        "sps",
                        new Json()
                                .with("env", outcome.throughput().environment())
                                .with("inference", outcome.throughput().inference())
                                .with("train", outcome.throughput().train()))
                .with("backend", outcome.backend());
    }
}
