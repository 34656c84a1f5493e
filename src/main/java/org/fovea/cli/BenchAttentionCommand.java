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

    @Option(names = "--set", paramLabel = Settings.LABEL, description = Settings.BACKEND_DESCRIPTION)
    private String[] settings = {};

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    BenchAttentionCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        Settings set = Settings.ofBackend(settings);
        if (set.isHelp()) {
            SettingsHelp.print(terminal);
            return;
        }
        try (Backend backend = device.open(terminal, set.backend(), THREADS)) {
            AttentionBench.run(terminal.out(), backend);
        }
    }
}
