// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
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
            SweepCommand.class,
            SuiteCommand.class,
            EnvsCommand.class,
            DashboardCommand.class,
            ServeEnvironmentCommand.class,
            AttentionCommand.class,
            BenchCommand.class,
            DoctorCommand.class,
            SelfTestCommand.class,
            VersionCommand.class,
            HelpCommand.class
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea train                             an attention policy learns ProofOfMemory-v0",
            "  fovea train --env CartPole-v1 --policy mlp",
            "  fovea eval runs/NAME --episodes 1000    how good is it?",
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

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
