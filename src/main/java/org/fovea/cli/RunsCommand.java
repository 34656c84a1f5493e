// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.fovea.cli.RunList.Order;
import org.fovea.rl.run.RunSummary;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Lists runs. */
@Command(
        name = "runs",
        sortOptions = false,
        header = "List runs: how far each is, its newest score, and when it was last written to.",
        description = {
            "%nThe score is that of the final evaluation, else of the last one during training, else the mean return of the last 100"
                    + " episodes of training. A run is running where a process of this machine has its lock, and"
                    + " interrupted where it was stopped or killed: train --resume goes on with it.%n"
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea runs                                          those in runs/, the newest first",
            "  fovea runs --sort score --filter env=CartPole-v1 --filter 'score>450'",
            "  fovea runs runs/sweep-CartPole-v1-ppo-mlp --filter learning_rate=0.001 --json"
        })
final class RunsCommand implements Callable<Integer> {
    private static final int LONGEST_NOTE = 80;

    private final Terminal terminal;

    @Parameters(
            paramLabel = "DIR",
            arity = "0..1",
            description = "Where they are, up to four directories deep (default: runs).")
    private Path root = Path.of("runs");

    @Option(
            names = "--sort",
            paramLabel = "COLUMN",
            description = "${COMPLETION-CANDIDATES} (default: age, the newest first).")
    private Order order = Order.AGE;

    @Option(names = "--reverse", description = "The other way round.")
    private boolean isReversed;

    @Option(
            names = "--filter",
            paramLabel = "WHAT",
            description =
                    "Only those with such a text in their path, or KEY=VALUE, 'KEY<VALUE', 'KEY>VALUE', of state, score,"
                            + " taken (steps), env, algo, policy, steps, envs, seed or a hyper-parameter. May be repeated: all must hold.")
    private List<String> conditions = List.of();

    @Option(names = "--json", description = "Print one JSON object, which has them all.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    RunsCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        if (!Files.isDirectory(root)) {
            throw new UsageException(
                    "there is no directory " + root + "; fovea train makes runs in runs/, or in --out DIR");
        }
        List<RunSummary> all = RunSummary.list(root);
        List<RunSummary> runs = new ArrayList<>(RunList.filtered(all, conditions));
        runs.sort(order.comparator(isReversed));
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("runs", runs.stream().map(RunList::json).toList()));
            return 0;
        }
        if (runs.isEmpty()) {
            terminal.notices()
                    .println(
                            all.isEmpty()
                                    ? "there is no run in " + root + "; fovea train makes one"
                                    : "none of " + all.size() + " runs is of that kind");
            return 0;
        }
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("run", "environment", "policy", "seed", "state", "steps", "return", "of", "age", ""));
        for (RunSummary run : runs) {
            rows.add(List.of(
                    RunList.name(run.directory()),
                    RunList.setting(run, "env"),
                    RunList.setting(run, "algo") + " " + RunList.setting(run, "policy"),
                    RunList.setting(run, "seed"),
                    RunList.state(terminal, run.state()),
                    RunList.steps(run),
                    NumberFormats.score(run.score().mean()),
                    run.score().source(),
                    RunList.age(run),
                    note(run)));
        }
        Table.printWithHeading(terminal, terminal.out(), rows);
        return 0;
    }

    private static String note(RunSummary run) {
        String note = !run.problem().isEmpty()
                ? "damaged: " + run.problem()
                : run.outcome() == null ? "" : run.outcome().failure();
        return Terminal.printable(note.length() <= LONGEST_NOTE ? note : note.substring(0, LONGEST_NOTE) + "...");
    }
}
