package org.fovea.cli;

import org.fovea.backend.Backend;
import org.fovea.cli.bench.AttentionBench;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Useful GFLOP/s of fused attention. */
@Command(
        name = "attention",
        abbreviateSynopsis = true,
        header = "Measure the GFLOP/s of attention, forward and backward, over a ladder of shapes.")
final class BenchAttentionCommand implements Runnable {
    private static final int THREADS = 1;

    private final Terminal terminal;

    @ArgGroup(validate = false, heading = "%nWhere it runs (on one thread, unless --threads says otherwise):%n")
    private BackendOptions device = new BackendOptions();

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    BenchAttentionCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        try (Backend backend = device.open(THREADS)) {
            AttentionBench.run(terminal.out(), backend);
        }
    }
}
