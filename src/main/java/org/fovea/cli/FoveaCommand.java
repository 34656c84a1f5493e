// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The root: prints its help. */
@Command(
        name = "fovea",
        header = "Fused attention for the JVM, and a reinforcement-learning trainer that remembers with it.",
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        subcommands = {
            TrainCommand.class,
            EvalCommand.class,
            ExportCommand.class,
            ImitateCommand.class,
            RunsCommand.class,
            ShowCommand.class,
            CompareCommand.class,
            WatchCommand.class,
            AttentionMapCommand.class,
            PlotCommand.class,
            SweepCommand.class,
            SuiteCommand.class,
            EnvsCommand.class,
            DashboardCommand.class,
            ServeEnvironmentCommand.class,
            AttentionCommand.class,
            BenchCommand.class,
            DoctorCommand.class,
            SelfTestCommand.class,
            CompletionCommand.class,
            VersionCommand.class,
            HelpCommand.class
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea train                             an attention policy learns ProofOfMemory-v0",
            "  fovea train --env CartPole-v1 --policy mlp",
            "  fovea eval runs/NAME --episodes 1000    how good is it?",
            "  fovea runs                              what was trained, how far, how well",
            "  fovea dashboard                         shows runs in a browser, and what a policy looks at",
            "  fovea doctor                            does it work on this machine, and if not, what to do?",
            "  fovea selftest                          does this machine's device compute what it should?",
            "  fovea bundle                            packs all of it, with Java, for another machine",
            "  fovea COMMAND --help                    options and examples of a command",
            "  fovea --main CLASS                      runs a program of your own, found on FOVEA_CLASSPATH"
        })
final class FoveaCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private final Terminal terminal;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Option(
            names = "--quiet",
            scope = ScopeType.INHERIT,
            description = "Print results and errors alone, no progress and no notes; with --json its object alone.")
    private boolean quiet;

    @Option(
            names = "--log-level",
            paramLabel = "LEVEL",
            scope = ScopeType.INHERIT,
            description = "Print log messages from this level on: ${COMPLETION-CANDIDATES} (default: info, with --quiet"
                    + " error).")
    private @Nullable LogLevel logLevel;

    @Option(
            names = "--stacktrace",
            scope = ScopeType.INHERIT,
            description = "Print where an error comes from, below its line.")
    private boolean stackTrace;

    FoveaCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Does what the options of all commands say, before one of them is run. */
    void applyOptions() {
        if (quiet) {
            terminal.beQuiet();
        }
        if (stackTrace) {
            terminal.showStackTraces();
        }
        LogLevel usual = quiet ? LogLevel.ERROR : LogLevel.INFO;
        (logLevel == null ? usual : logLevel).apply(terminal);
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
