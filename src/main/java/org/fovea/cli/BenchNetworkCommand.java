// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.fovea.backend.Backend;
import org.fovea.collective.Network;
import org.fovea.collective.Patience;
import org.fovea.collective.RankSettings;
import org.fovea.collective.SocketRanks;
import org.fovea.io.DurableFiles;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Trainer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What sums over ranks take on networks, by a model that is fitted to this machine and held to what it measures. */
@Command(
        name = "network",
        sortOptions = false,
        abbreviateSynopsis = true,
        header = "Reckon what several ranks would cost on networks: time per minibatch, and how many ranks pay.",
        description = {
            "%nA message takes latency and bandwidth of the network, and what two ranks over loopback are found to take of the machine itself. What"
                    + " one rank computes for a minibatch, playing included, is measured on the work of fovea bench train: mlp, attention, and"
                    + " attention of 4 layers of width 256.",
            "Most ranks: at which 90 %% of the time is computing, where all share the work of one, and where each has as much as that one."
        })
final class BenchNetworkCommand extends BackendCommand {
    private static final double SHARE = 0.9;
    private static final int MOST_RANKS = 1024;
    private static final int[] RANKS = {2, 8, 64};
    private static final int[] MEASURED_RANKS = {2, 4};
    private static final int[] MEASURED_LENGTHS = {1_000, 10_000, 100_803, 1_000_000};

    /** Numbers whose sum is all latency, and all bandwidth. */
    private static final int FEW = 1;

    private static final int MANY = 1 << 20;
    private static final int WARM_UP = 100;
    private static final int MOST_SUMS = 200;
    private static final long MOST_NUMBERS = 100L << 20;

    /** A policy is trained for so long, and so many iterations, the second half of which counts. */
    private static final double LEAST_SECONDS = 10;

    private static final int LEAST_ITERATIONS = 4;

    @Option(
            names = "--minibatch-ms",
            paramLabel = "MS",
            split = ",",
            description = "What one rank computes for a minibatch of each policy (default: measured).")
    private List<Double> minibatchMillis = List.of();

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    /** A policy to reckon with, and what differs from the work of fovea bench train. */
    private enum Size {
        SMALL(PolicyKind.of("mlp"), Map.of(), 1),
        MEDIUM(PolicyKind.of("attention"), Map.of(), 1),
        LARGE(PolicyKind.of("attention"), Map.of("layers", "4", "width", "256"), 8);

        private final PolicyKind policy;
        private final Map<String, String> settings;

        /** It is timed with such a part of the environments, which take such a part of the time. */
        private final int part;

        Size(PolicyKind policy, Map<String, String> settings, int part) {
            this.policy = policy;
            this.settings = settings;
            this.part = part;
        }
    }

    /** Parameters of a policy, and seconds that one rank computes for a minibatch. */
    private record Work(Size size, int parameters, double seconds) {}

    BenchNetworkCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        if (!minibatchMillis.isEmpty()
                && (minibatchMillis.size() != Size.values().length
                        || minibatchMillis.stream().anyMatch(ms -> !(ms > 0)))) {
            throw new UsageException("--minibatch-ms takes one number above 0 for each of " + Size.values().length
                    + " policies, got " + minibatchMillis);
        }
        Network.Host host = host();
        terminal.report(json)
                .printf(
                        Locale.ROOT,
                        "a message between two ranks of this machine: %.0f us, %.2f GB/s%n%n",
                        host.latency() * 1e6,
                        host.bandwidth() * 1e-9);
        List<Json> measured = check(host);
        List<Json> reckoned = new ArrayList<>();
        try (Backend backend = open(backendSettings)) {
            for (Size size : Size.values()) {
                reckoned.add(reckon(work(backend, size), backend, host));
            }
        }
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("latency_us", host.latency() * 1e6)
                            .with("gigabytes_per_second", host.bandwidth() * 1e-9)
                            .with("measured", measured)
                            .with("policies", reckoned));
        }
        return 0;
    }

    private static Network.Host host() {
        double latency = medianSeconds(2, FEW);
        double whole = medianSeconds(2, MANY);
        return new Network.Host(latency, SocketRanks.bytesSent(2, MANY) / (whole - latency));
    }

    /** The model beside what is measured on this machine, whose cores the ranks share. */
    private List<Json> check(Network.Host host) {
        List<List<String>> rows = new ArrayList<>(List.of(List.of("ranks", "numbers", "measured ms", "model ms")));
        List<Json> results = new ArrayList<>();
        for (int ranks : MEASURED_RANKS) {
            for (int length : MEASURED_LENGTHS) {
                double measured = medianSeconds(ranks, length) * 1e3;
                double model = Network.loopback(host).sumSeconds(length, ranks) * 1e3;
                rows.add(List.of(
                        Integer.toString(ranks),
                        NumberFormats.count(length),
                        milliseconds(measured),
                        milliseconds(model)));
                results.add(new Json()
                        .with("ranks", ranks)
                        .with("numbers", length)
                        .with("measured_ms", measured)
                        .with("model_ms", model));
            }
        }
        Table.printWithHeading(terminal, terminal.report(json), rows);
        return results;
    }

    private Json reckon(Work work, Backend backend, Network.Host host) {
        terminal.report(json)
                .printf(
                        Locale.ROOT,
                        "%n%s policy, %,d parameters: %,d bytes and %s ms of computing per minibatch, on %s%n%n",
                        work.size.policy,
                        work.parameters,
                        (long) work.parameters * Float.BYTES,
                        milliseconds(work.seconds * 1e3),
                        backend.description());
        List<String> heading = new ArrayList<>(List.of("network"));
        for (int ranks : RANKS) {
            heading.add("ms, " + ranks + " ranks");
        }
        heading.addAll(List.of("most ranks, sharing", "each as much"));
        List<List<String>> rows = new ArrayList<>(List.of(heading));
        List<Json> networks = new ArrayList<>();
        for (Network network : Network.usual(host)) {
            List<String> row = new ArrayList<>(List.of(network.name()));
            Json result = new Json().with("network", network.name());
            for (int ranks : RANKS) {
                double millis = network.sumSeconds(work.parameters, ranks) * 1e3;
                row.add(milliseconds(millis));
                result = result.with("ms_" + ranks, millis);
            }
            int sharing = network.mostRanks(work.parameters, work.seconds, SHARE, true, MOST_RANKS);
            int asMuch = network.mostRanks(work.parameters, work.seconds, SHARE, false, MOST_RANKS);
            row.addAll(List.of(ranks(sharing), ranks(asMuch)));
            rows.add(row);
            networks.add(result.with("most_sharing", sharing).with("most_as_much", asMuch));
        }
        Table.printWithHeading(terminal, terminal.report(json), rows);
        return new Json()
                .with("policy", work.size.policy.toString())
                .with("parameters", work.parameters)
                .with("minibatch_ms", work.seconds * 1e3)
                .with("networks", networks);
    }

    private static String ranks(int count) {
        return count == MOST_RANKS ? MOST_RANKS + " or more" : Integer.toString(count);
    }

    private static String milliseconds(double value) {
        return String.format(Locale.ROOT, value < 10 ? "%.3f" : "%.1f", value);
    }

    private Work work(Backend backend, Size size) throws IOException {
        RunSpec spec = BenchTrainCommand.work(size.policy, Long.MAX_VALUE, BenchTrainCommand.ENVIRONMENTS / size.part)
                .with(size.settings);
        Path directory = Files.createTempDirectory("fovea-bench");
        try (Trainer trainer = Trainer.start(backend, spec, directory, PlaySettings.DEFAULT)) {
            double seconds;
            if (minibatchMillis.isEmpty()) {
                List<Long> ends = new ArrayList<>();
                trainer.run((Progress progress) -> ends.add(System.nanoTime()), () -> isEnough(ends));
                int half = ends.size() / 2;
                long nanos = ends.get(ends.size() - 1) - ends.get(half);
                double iteration = nanos * 1e-9 / (ends.size() - 1 - half) * size.part;
                seconds = iteration / BenchTrainCommand.UPDATES;
            } else {
                seconds = minibatchMillis.get(size.ordinal()) * 1e-3;
            }
            return new Work(size, Math.toIntExact(trainer.parameterCount()), seconds);
        } finally {
            DurableFiles.deleteTree(directory);
        }
    }

    /** Whether iterations that ended then were long enough. */
    private static boolean isEnough(List<Long> ends) {
        return ends.size() >= LEAST_ITERATIONS && (ends.get(ends.size() - 1) - ends.get(0)) * 1e-9 > LEAST_SECONDS;
    }

    /** Of a sum of so many numbers over ranks that are threads here, connected over loopback. */
    private static double medianSeconds(int ranks, int length) {
        int sums = (int) Math.max(5, Math.min(MOST_SUMS, MOST_NUMBERS / length));
        ExecutorService threads = Executors.newFixedThreadPool(ranks);
        try {
            int port = freePort();
            List<Future<double[]>> all = new ArrayList<>();
            for (int rank = 0; rank < ranks; rank++) {
                RankSettings settings =
                        new RankSettings(rank, ranks, rank, "127.0.0.1", port, "bench", RankSettings.SOCKETS);
                all.add(threads.submit(() -> time(settings, length, sums)));
            }
            double[] seconds = all.get(0).get();
            Arrays.sort(seconds);
            return seconds[sums / 2];
        } catch (IOException | ExecutionException e) {
            throw new FailedException("ranks cannot be connected over loopback: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FailedException("interrupted", e);
        } finally {
            threads.shutdownNow();
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    private static double[] time(RankSettings settings, int length, int sums) {
        try (SocketRanks connected = SocketRanks.connect(settings, Map.of(), Patience.DEFAULT)) {
            float[] values = new float[length];
            double[] seconds = new double[sums];
            for (int i = -Math.min(WARM_UP, sums); i < sums; i++) {
                long start = System.nanoTime();
                connected.sum(values, length);
                if (i >= 0) {
                    seconds[i] = (System.nanoTime() - start) * 1e-9;
                }
            }
            connected.gather(new byte[0]);
            return seconds;
        }
    }
}
