// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.cli.bench.AttentionBench;
import org.jspecify.annotations.Nullable;
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

    @Option(
            names = "--shape",
            paramLabel = "B,H,N,D",
            split = ",",
            description =
                    "Only this shape: for each line of standard input the milliseconds of one forward, backward and"
                            + " double backward pass, as JSON.")
    private int @Nullable [] shape;

    BenchAttentionCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        requireShape();
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

    private void requireShape() {
        if (shape != null && (shape.length != SHAPE_RANK || Arrays.stream(shape).anyMatch(extent -> extent < 1))) {
            throw new UsageException(
                    "--shape must be B,H,N,D, four whole numbers from 1, got " + Arrays.toString(shape));
        }
    }
}
