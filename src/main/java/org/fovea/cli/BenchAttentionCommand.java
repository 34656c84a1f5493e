package org.fovea.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Callable;
import org.fovea.backend.Backend;
import org.fovea.cli.bench.AttentionBench;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Useful GFLOP/s of fused attention. */
@Command(
        name = "attention",
        abbreviateSynopsis = true,
        header = "Measure the GFLOP/s of attention, forward and backward, over a ladder of shapes.")
final class BenchAttentionCommand implements Callable<Integer> {
    private static final int THREADS = 1;
    private static final int SHAPE_RANK = 4;

    private final Terminal terminal;

    @Option(
            names = "--shape",
            paramLabel = "B,H,N,D",
            split = ",",
            description =
                    "Only this shape: for each line of standard input the milliseconds of one forward, backward and"
                            + " double backward pass, as JSON.")
    private int @Nullable [] shape;

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
    public Integer call() throws IOException {
        Settings set = Settings.ofBackend(settings);
        if (set.isHelp()) {
            SettingsHelp.print(terminal);
            return 0;
        }
        requireShape();
        try (Backend backend = device.open(terminal, set.backend(), THREADS)) {
            if (shape == null) {
                AttentionBench.run(terminal.out(), backend);
            } else {
                BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
                AttentionBench.rounds(lines, terminal.out(), backend, shape);
            }
        }
        return 0;
    }

    private void requireShape() {
        if (shape != null && (shape.length != SHAPE_RANK || Arrays.stream(shape).anyMatch(extent -> extent < 1))) {
            throw new UsageException(
                    "--shape must be B,H,N,D, four whole numbers from 1, got " + Arrays.toString(shape));
        }
    }
}
