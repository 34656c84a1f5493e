// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures speed on fixed work. */
@Command(
        name = "bench",
        header = "Measure speed on fixed work.",
        synopsisSubcommandLabel = "attention|env|gemm|network|policy|ranks|train",
        subcommands = {
            BenchAttentionCommand.class,
            BenchEnvironmentCommand.class,
            BenchGemmCommand.class,
            BenchNetworkCommand.class,
            BenchPolicyCommand.class,
            BenchRanksCommand.class,
            BenchTrainCommand.class
        })
final class BenchCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(), "say what to measure: attention, env, gemm, network, policy, ranks or train");
    }
}
