// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.fovea.collective.CollectiveException;
import org.fovea.collective.Patience;
import org.fovea.collective.RankSettings;
import org.fovea.collective.SocketRanks;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Times the exchange between ranks by sockets: on one machine, or on all that something else starts it on. */
@Command(
        name = "ranks",
        sortOptions = false,
        header = "Time the sum of gradients over ranks, by sockets.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea bench ranks --ranks 2             two processes on this machine",
            "  RANK=1 WORLD_SIZE=2 MASTER_ADDR=node0 FOVEA_TOKEN=... fovea bench ranks",
            "                                          one of two, each started by hand"
        })
final class BenchRanksCommand implements Callable<Integer> {
    private static final int WARM_UP = 200;
    private static final int LEAST = 20;
    private static final long NANOS = 1_000_000_000L;

    /** So many are done by all ranks, whose clocks differ, before they ask whether it is enough. */
    private static final int AT_A_TIME = 10;

    private final Terminal terminal;
    private final Interruption interruption;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec command;

    @Option(names = "--ranks", paramLabel = "N", description = "Processes on this machine (default: ${DEFAULT-VALUE}).")
    private int count = 2;

    @Option(
            names = "--length",
            paramLabel = "N",
            split = ",",
            description = "Numbers of float32 to add up (default: ${DEFAULT-VALUE}).")
    private int[] lengths = {1_000, 10_000, 100_803, 1_000_000};

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    BenchRanksCommand(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    @Override
    public Integer call() throws IOException {
        for (int length : lengths) {
            if (length < 1) {
                throw new UsageException("--length must be at least 1, got " + length);
            }
        }
        Optional<RankSettings> settings = RankOptions.settings(System.getenv());
        if (settings.isPresent()) {
            measure(settings.get());
            return 0;
        }
        if (count < 2 || Integer.bitCount(count) != 1) {
            throw new UsageException("--ranks must be a power of two from 2 on, got " + count);
        }
        return new RankLauncher(terminal, interruption)
                .run(count, command.root().commandLine().getParseResult().originalArgs());
    }

    private void measure(RankSettings settings) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("numbers", "median ms", "least ms", "MB sent"));
        List<Json> results = new ArrayList<>();
        try (SocketRanks ranks =
                SocketRanks.connect(settings, Map.of("length", Arrays.toString(lengths)), Patience.DEFAULT)) {
            for (int length : lengths) {
                double[] millis = time(ranks, length);
                double megabytes = SocketRanks.bytesSent(ranks.size(), length) * 1e-6;
                rows.add(List.of(
                        NumberFormats.count(length),
                        String.format(Locale.ROOT, "%.3f", millis[millis.length / 2]),
                        String.format(Locale.ROOT, "%.3f", millis[0]),
                        String.format(Locale.ROOT, "%.2f", megabytes)));
                results.add(new Json()
                        .with("numbers", length)
                        .with("median_ms", millis[millis.length / 2])
                        .with("least_ms", millis[0]));
            }
        } catch (CollectiveException e) {
            throw new FailedException(String.valueOf(e.getMessage()), e);
        }
        if (settings.rank() == 0) {
            terminal.report(json).println("sums over " + settings.size() + " ranks, by sockets");
            Table.printWithHeading(terminal, terminal.report(json), rows);
            if (json) {
                terminal.out().println(new Json().with("ranks", settings.size()).with("results", results));
            }
        }
    }

    /** Milliseconds of sums, in order of length. */
    private static double[] time(SocketRanks ranks, int length) {
        float[] values = new float[length];
        for (int i = 0; i < WARM_UP; i++) {
            ranks.sum(values, length);
        }
        List<Double> all = new ArrayList<>();
        long start = System.nanoTime();
        byte[] goesOn = {1};
        while (goesOn[0] == 1) {
            for (int i = 0; i < AT_A_TIME; i++) {
                long before = System.nanoTime();
                ranks.sum(values, length);
                all.add((System.nanoTime() - before) * 1e-6);
            }
            boolean isEnough = all.size() >= LEAST && System.nanoTime() - start > NANOS;
            goesOn = ranks.gather(new byte[] {(byte) (isEnough ? 0 : 1)})[0];
        }
        return all.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    }
}
