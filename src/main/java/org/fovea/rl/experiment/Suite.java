// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.fovea.env.EnvironmentException;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.RunSpec;

/**
 * A list of tasks, with what is known of their scores; those there are, are in the resource {@value #FILE}.
 *
 * @param entries one for each task, algorithm and policy
 */
public record Suite(String name, List<Entry> entries) {
    private static final String FILE = "suites.txt";
    private static final int COLUMNS = 11;

    /** Steps of an entry that can be trained in a few minutes. */
    private static final long QUICK_STEPS = 500_000;

    /**
     * A task that a policy is to learn, and returns to compare its score with; NaN where there is none.
     *
     * @param label the policy with those of the settings by which it differs from others on the same task
     * @param settings hyper-parameters, and {@code envs}, that are not the default
     * @param memoryless of the best policy that sees one step at a time
     * @param toBeat what others have published, or what is aimed at
     * @param source of that
     */
    public record Entry(
            String environment,
            Algorithm algorithm,
            PolicyKind policy,
            String label,
            long steps,
            Map<String, String> settings,
            double random,
            double memoryless,
            double perfect,
            double toBeat,
            String source) {

        /** The name of its cells. */
        public String group() {
            return (environment + "-" + algorithm + "-" + label()).replaceAll("[^A-Za-z0-9._=-]+", "-");
        }

        /** Whether it can be trained in a few minutes. */
        public boolean isQuick() {
            return steps <= QUICK_STEPS;
        }

        /** Why its environment cannot be played here, empty if it can. */
        public String unavailable() {
            try {
                EnvironmentSpec spec = Environments.get(environment);
                try {
                    spec.spaces();
                    return "";
                } finally {
                    spec.closeUnused();
                }
            } catch (EnvironmentException | IllegalArgumentException e) {
                return String.valueOf(e.getMessage());
            }
        }

        /** A cell for a seed. */
        public Cell cell(long seed) {
            Map<String, String> hyperparameters = new LinkedHashMap<>(settings);
            String environments = hyperparameters.remove("envs");
            RunSpec spec = Defaults.of(environment, algorithm, policy)
                    .withSteps(steps)
                    .withSeed(seed)
                    .with(hyperparameters);
            if (environments != null) {
                spec = spec.withEnvironments(Integer.parseInt(environments));
            }
            return new Cell(group(), Defaults.fitMinibatches(spec, settings.keySet()));
        }

        /** How far a return is from random to perfect; NaN where these are not known. */
        public double normalised(double score) {
            return (score - random) / (perfect - random);
        }
    }

    /** Names of the suites. */
    public static List<String> names() {
        Set<String> names = new LinkedHashSet<>();
        lines().forEach(columns -> names.add(columns.get(0)));
        return List.copyOf(names);
    }

    /**
     * The suite of a name.
     *
     * @throws UnknownNameException if there is none
     */
    public static Suite of(String name) {
        List<Entry> entries = new ArrayList<>();
        for (List<String> columns : lines()) {
            if (columns.get(0).equals(name)) {
                for (String player : columns.get(3).split(",")) {
                    entries.add(entry(columns, player.strip()));
                }
            }
        }
        if (entries.isEmpty()) {
            throw new UnknownNameException("suite", name, names());
        }
        return new Suite(name, List.copyOf(entries));
    }

    /**
     * The cells of some of its entries. The first seed of every entry comes before the second of any, so that one that has no time
     * for all has something of each.
     */
    public static List<Cell> cells(List<Entry> entries, int seeds) {
        if (seeds < 1) {
            throw new IllegalArgumentException("seeds must be at least 1, got " + seeds);
        }
        List<Cell> cells = new ArrayList<>();
        for (long seed = 1; seed <= seeds; seed++) {
            for (Entry entry : entries.stream()
                    .sorted(Comparator.comparingLong(Entry::steps))
                    .toList()) {
                cells.add(entry.cell(seed));
            }
        }
        return cells;
    }

    /** @param player a policy, and settings of its own, divided by spaces */
    private static Entry entry(List<String> columns, String player) {
        String[] words = player.split(" +");
        Map<String, String> settings = new LinkedHashMap<>();
        Stream.concat(Stream.of(words).skip(1), Stream.of(columns.get(5).split(" +")))
                .filter(setting -> !setting.isEmpty())
                .map(setting -> setting.split("=", 2))
                .forEach(pair -> settings.put(pair[0], pair[1]));
        return new Entry(
                columns.get(1),
                Algorithm.of(columns.get(2)),
                PolicyKind.of(words[0]),
                player,
                Long.parseLong(columns.get(4)),
                settings,
                number(columns.get(6)),
                number(columns.get(7)),
                number(columns.get(8)),
                number(columns.get(9)),
                columns.get(10).equals("-") ? "" : columns.get(10));
    }

    private static double number(String text) {
        return text.equals("-") ? Double.NaN : Double.parseDouble(text);
    }

    private static List<List<String>> lines() {
        try (InputStream in = Objects.requireNonNull(Suite.class.getResourceAsStream(FILE), FILE)) {
            List<List<String>> lines = new ArrayList<>();
            for (String line : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
                if (line.isBlank() || line.startsWith("#")) {
                    continue;
                }
                List<String> columns =
                        Stream.of(line.split("\\|", -1)).map(String::strip).toList();
                if (columns.size() != COLUMNS) {
                    throw new IllegalStateException(
                            FILE + " has a line of " + columns.size() + " columns, expected " + COLUMNS + ": " + line);
                }
                lines.add(columns);
            }
            return lines;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + FILE, e);
        }
    }
}
