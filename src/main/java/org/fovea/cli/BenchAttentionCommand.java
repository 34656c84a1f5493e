// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
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
        header = "Measure the GFLOP/s of attention, forward and backward, over a ladder of shapes.",
        description = "%nOn one thread, unless --threads says otherwise.%n")
final class BenchAttentionCommand extends BackendCommand {
    private static final int THREADS = 1;
    private static final int SHAPE_RANK = 4;
    private static final int[] PROFILED_SHAPE = {1, 2, 256, 64};

    @Option(
            names = "--shape",
            paramLabel = "B,H,N,D",
            split = ",",
            description =
                    "Only this shape: for each line of standard input the milliseconds of one forward, backward and"
                            + " double backward pass, as JSON.")
    private int @Nullable [] shape;

    @ArgGroup(validate = false, heading = "%nOn the simulator:%n")
    private ProfileOptions profile = new ProfileOptions();

    BenchAttentionCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        requireShape();
        if (profile.isWanted()) {
            int[] profiled = shape == null ? PROFILED_SHAPE : shape;
            String title = "attention in float32, B,H,N,D = " + Arrays.toString(profiled)
                    + ": forward, backward, double backward";
            profile.run(device, terminal, title, () -> round(backendSettings, profiled));
            return 0;
        }
        try (Backend backend = device.open(terminal, backendSettings, THREADS)) {
            if (shape == null) {
                AttentionBench.run(terminal.out(), backend);
            } else {
                BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
                AttentionBench.rounds(lines, terminal.out(), backend, shape);
            }
        }
        return 0;
    }

    /** One round, whose time on a simulator is nothing to print. */
    private void round(Map<String, String> backendSettings, int... profiled) throws IOException {
        try (Backend backend = device.open(terminal, backendSettings, THREADS)) {
            PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
            AttentionBench.rounds(new BufferedReader(new StringReader("\n")), nowhere, backend, profiled);
        }
    }

    private void requireShape() {
        if (shape != null && (shape.length != SHAPE_RANK || Arrays.stream(shape).anyMatch(extent -> extent < 1))) {
            throw new UsageException(
                    "--shape must be B,H,N,D, four whole numbers from 1, got " + Arrays.toString(shape));
        }
    }
}
