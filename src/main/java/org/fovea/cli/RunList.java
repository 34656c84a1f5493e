// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fovea.cli.Terminal.Style;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.run.RunSummary;
import org.fovea.rl.run.RunSummary.State;
import org.jspecify.annotations.Nullable;

/** How runs are named, sorted, filtered and written, by all commands that tell of several. */
final class RunList {
    /** {@code KEY=VALUE}, {@code KEY<VALUE} or {@code KEY>VALUE}. */
    private static final Pattern CONDITION = Pattern.compile("([a-z_]+)\\s*([=<>])\\s*(.*)");

    /** Settings as a command line names them. */
    private static final Map<String, String> NAMES =
            Map.of("environment", "env", "algorithm", "algo", "environments", "envs");

    /** Steps that were taken, unlike those that the run has to take. */
    private static final String TAKEN = "taken";

    /** What of {@link #values} is no setting. */
    static final Set<String> NOT_SETTINGS = Set.of("state", "score", TAKEN);

    private RunList() {}

    /** By what a list can be sorted. */
    enum Order {
        AGE(Comparator.comparing(RunSummary::lastWritten).reversed()),
        NAME(Comparator.comparing(RunSummary::directory)),
        ENV(byText("env")),
        POLICY(byText("policy")),
        STATE(Comparator.comparing(RunSummary::state)),
        STEPS(Comparator.comparing(RunSummary::steps).reversed()),
        SCORE(Comparator.comparing((RunSummary run) -> scoreOrLeast(run)).reversed());

        private final Comparator<RunSummary> order;

        Order(Comparator<RunSummary> order) {
            this.order = order.thenComparing(RunSummary::directory);
        }

        Comparator<RunSummary> comparator(boolean isReversed) {
            return isReversed ? order.reversed() : order;
        }

        private static Comparator<RunSummary> byText(String key) {
            return Comparator.comparing(run -> RunList.values(run).getOrDefault(key, ""));
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * A run that was named.
     *
     * @throws UsageException if it is none
     */
    static RunSummary read(Path directory) throws IOException {
        try {
            return RunSummary.read(directory);
        } catch (IOException e) {
            throw new UsageException(
                    e instanceof NoSuchFileException
                            ? "there is no run directory " + directory + "; fovea runs lists what there is"
                            : e.getMessage() + "; fovea runs lists what there is",
                    e);
        }
    }

    /** What has no score yet comes last. */
    private static double scoreOrLeast(RunSummary run) {
        return Double.isNaN(run.score().mean())
                ? Double.NEGATIVE_INFINITY
                : run.score().mean();
    }

    /** Everything that a filter can ask for, by the names of the command line. */
    static Map<String, String> values(RunSummary run) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("state", run.state().toString());
        values.put("score", Double.toString(run.score().mean()));
        run.settings().forEach((key, value) -> values.put(NAMES.getOrDefault(key, key), value));
        values.put(TAKEN, Long.toString(run.steps()));
        return values;
    }

    /**
     * Those that meet every condition: a part of the path, or {@code KEY=VALUE}, {@code KEY<VALUE}, {@code KEY>VALUE}.
     *
     * @throws UnknownNameException if no run has such a key
     */
    static List<RunSummary> filtered(List<RunSummary> runs, List<String> conditions) {
        List<RunSummary> left = new ArrayList<>(runs);
        for (String condition : conditions) {
            Matcher matcher = CONDITION.matcher(condition);
            if (!matcher.matches()) {
                left.removeIf(run -> !run.directory().toString().contains(condition));
                continue;
            }
            String key = matcher.group(1);
            Set<String> keys = new TreeSet<>();
            runs.forEach(run -> keys.addAll(values(run).keySet()));
            if (!runs.isEmpty() && !keys.contains(key)) {
                throw new UnknownNameException("setting of runs", key, keys);
            }
            left.removeIf(run -> !holds(
                    values(run).get(key), matcher.group(2), matcher.group(3).strip()));
        }
        return left;
    }

    private static boolean holds(@Nullable String value, String relation, String wanted) {
        if (value == null) {
            return false;
        }
        try {
            int order = Double.compare(Double.parseDouble(value), Double.parseDouble(wanted));
            boolean isNumber = !Double.isNaN(Double.parseDouble(value));
            return isNumber && (relation.equals("=") ? order == 0 : relation.equals("<") ? order < 0 : order > 0);
        } catch (NumberFormatException notNumbers) {
            if (!relation.equals("=")) {
                throw new UsageException(
                        "--filter with " + relation + " compares numbers, not '" + value + "' and '" + wanted + "'");
            }
            return value.equals(wanted);
        }
    }

    /** A state in its colour, as wide as the widest, since colours have no width. */
    static String state(Terminal terminal, State state) {
        Style style = switch (state) {
            case RUNNING -> Style.ACTIVE;
            case DONE -> Style.GOOD;
            case INTERRUPTED -> Style.DOUBTFUL;
            case FAILED -> Style.BAD;
        };
        return terminal.styled(style, state.toString());
    }

    /** Since it was last written to. */
    static String age(RunSummary run) {
        double seconds =
                Math.max(0, Duration.between(run.lastWritten(), Instant.now()).toSeconds());
        double days = seconds / 86_400;
        return days >= 1 ? Math.round(Math.floor(days)) + "d" : NumberFormats.duration(seconds);
    }

    /** A share of the steps, or all. */
    static String steps(RunSummary run) {
        String taken = NumberFormats.count(run.steps());
        return run.totalSteps() == 0 || run.steps() == run.totalSteps()
                ? taken
                : taken + " of " + NumberFormats.count(run.totalSteps());
    }

    /** A setting, {@code -} where it is not known. */
    static String setting(RunSummary run, String key) {
        return Terminal.printable(values(run).getOrDefault(key, "-"));
    }

    /** Its path, as it can be given to other commands. */
    static String name(Path directory) {
        return Terminal.printable(directory.normalize().toString());
    }

    static Json json(RunSummary run) {
        return new Json()
                .with("run", name(run.directory()))
                .with("state", run.state().toString())
                .with("env", setting(run, "env"))
                .with("algo", setting(run, "algo"))
                .with("policy", setting(run, "policy"))
                .with("seed", setting(run, "seed"))
                .with("steps", run.steps())
                .with("total_steps", run.totalSteps())
                .with("return_mean", run.score().mean())
                .with("return_std", run.score().std())
                .with("return_episodes", run.score().episodes())
                .with("return_of", run.score().source())
                .with("written", run.lastWritten().toString())
                .with(
                        "age_seconds",
                        Math.max(
                                0,
                                Duration.between(run.lastWritten(), Instant.now())
                                        .toSeconds()))
                .with("problem", run.problem());
    }
}
