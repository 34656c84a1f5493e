// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.fovea.cli.bench.LaunchCounts.Requests;
import org.fovea.cli.bench.LaunchCounts.Resource;

/** What the simulator counted of kernels from PTX, by kernel, and the time that follows from it on a card at best. */
public final class SimulatedProfile {
    private final Card card;
    private final Map<String, Kernel> kernels = new LinkedHashMap<>();

    private SimulatedProfile(Card card) {
        this.card = card;
    }

    /** Reads the lines that the simulated driver wrote. */
    public static SimulatedProfile read(Path file, Card card) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        SimulatedProfile profile = new SimulatedProfile(card);
        try (Stream<String> lines = Files.lines(file)) {
            for (String line : (Iterable<String>) lines::iterator) {
                profile.add(mapper.readValue(line, LaunchCounts.class));
            }
        }
        return profile;
    }

    private void add(LaunchCounts launch) {
        kernels.computeIfAbsent(launch.kernel(), Kernel::new).add(launch, card);
    }

    /** Prints a row per kernel, that of the longest predicted time first. */
    public void print(PrintStream out) {
        List<Kernel> longest = new ArrayList<>(kernels.values());
        longest.sort(Comparator.comparingDouble((Kernel kernel) -> kernel.bound).reversed());
        int width =
                longest.stream().mapToInt(kernel -> kernel.name.length()).max().orElse(0);
        String name = "%-" + Math.max(width, "kernel".length()) + "s";
        out.println("A prediction, not a measurement: the least time on " + card.title
                + " that the counted instructions, bytes and"
                + " bank conflicts allow, without latency, launches and what ptxas does.");
        out.printf(
                Locale.ROOT,
                name + " %8s %9s %5s %5s %5s %5s %5s %5s %5s %5s %6s %9s %11s %6s %12s %12s  %s%n",
                "kernel",
                "launches",
                "warp ins.",
                "fma%",
                "int%",
                "mufu%",
                "mma%",
                "mem%",
                "ctl%",
                "other",
                "lanes",
                "diverg",
                "conflicts",
                "sectors/req",
                "coalsc",
                "a launch",
                "all",
                "binds (then)");
        double total = 0;
        for (Kernel kernel : longest) {
            kernel.print(out, name);
            total += kernel.bound;
        }
        out.printf(
                Locale.ROOT,
                "%d launches, %s%n",
                longest.stream().mapToLong(kernel -> kernel.launches).sum(),
                time(total));
    }

    private static String time(double seconds) {
        return String.format(Locale.ROOT, "%.2f us", seconds * 1e6);
    }

    private static String part(double part, double whole) {
        return whole == 0 ? "-" : String.format(Locale.ROOT, "%.0f", 100 * part / whole);
    }

    private static String ratio(double value, double base) {
        return base == 0 ? "-" : String.format(Locale.ROOT, "%.2f", value / base);
    }

    private static String count(double value) {
        String[] units = {"", "k", "M", "G", "T"};
        int unit = 0;
        while (value >= 1000 && unit < units.length - 1) {
            value /= 1000;
            unit++;
        }
        return String.format(Locale.ROOT, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
    }

    /** All launches of one. */
    private static final class Kernel {
        private final String name;
        private long launches;
        private double bound;
        private long all;
        private long floats;
        private long integers;
        private long specials;
        private long products;
        private long memory;
        private long control;
        private long lanes;
        private long branches;
        private long divergent;
        private Requests shared = Requests.NONE;
        private Requests global = Requests.NONE;
        private final Map<Resource, Double> seconds = new EnumMap<>(Resource.class);

        /** The time of those launches that each resource binds. */
        private final Map<Resource, Double> binding = new EnumMap<>(Resource.class);

        Kernel(String name) {
            this.name = name;
        }

        void add(LaunchCounts launch, Card card) {
            launches++;
            all += launch.warpInstructions();
            floats += launch.of("fma");
            integers += launch.of("alu", "imad", "division");
            specials += launch.of("mufu");
            products += launch.of("mma.", "wgmma.");
            memory += launch.of("ld", "st", "atom.", "red.", "cp.async");
            control += launch.of("control", "barrier");
            lanes += launch.laneInstructions();
            branches += launch.branches();
            divergent += launch.divergentBranches();
            shared = shared.plus(launch.allShared());
            global = global.plus(launch.allGlobal());
            Map<Resource, Double> times = launch.seconds(card);
            times.forEach((resource, time) -> seconds.merge(resource, time, Double::sum));
            Map.Entry<Resource, Double> longest =
                    times.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow();
            binding.merge(longest.getKey(), longest.getValue(), Double::sum);
            bound += longest.getValue();
        }

        void print(PrintStream out, String nameFormat) {
            Resource first = binding.entrySet().stream()
                    .max(Map.Entry.comparingByValue())
                    .orElseThrow()
                    .getKey();
            Resource second = seconds.entrySet().stream()
                    .filter(entry -> entry.getKey() != first)
                    .max(Map.Entry.comparingByValue())
                    .orElseThrow()
                    .getKey();
            long other = all - floats - integers - specials - products - memory - control;
            out.printf(
                    Locale.ROOT,
                    nameFormat + " %8d %9s %5s %5s %5s %5s %5s %5s %5s %5s %6s %9s %11s %6s %12s %12s  %s (%s %s %%)%n",
                    name,
                    launches,
                    count(all),
                    part(floats, all),
                    part(integers, all),
                    part(specials, all),
                    part(products, all),
                    part(memory, all),
                    part(control, all),
                    part(other, all),
                    ratio(lanes, all),
                    part(divergent, branches),
                    ratio(shared.wavefronts(), shared.least()),
                    ratio(global.sectors(), global.requests()),
                    ratio(global.sectors(), global.least()),
                    time(bound / launches),
                    time(bound),
                    label(first),
                    label(second),
                    part(seconds.getOrDefault(second, 0.0), bound));
        }

        private static String label(Resource resource) {
            return resource.name().toLowerCase(Locale.ROOT).replace('_', '/');
        }
    }
}
