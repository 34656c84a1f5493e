// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.fovea.rl.chart.LineChart;
import org.fovea.rl.experiment.ScoreStatistics.Estimate;
import org.fovea.rl.experiment.Suite.Entry;

/**
 * What a suite's cells say, as Markdown and pictures.
 *
 * @param notRun entries that have no cells, and why
 * @param groups of the cells of the others
 */
public record SuiteReport(Suite suite, Map<Entry, String> notRun, Map<Entry, Group> groups) {

    /** Puts outcomes with their entries. */
    public static SuiteReport of(Suite suite, Map<Entry, String> notRun, List<Experiment.Outcome> outcomes) {
        Map<String, Group> byName = new LinkedHashMap<>();
        Group.of(outcomes).forEach(group -> byName.put(group.name(), group));
        Map<Entry, Group> groups = new LinkedHashMap<>();
        for (Entry entry : suite.entries()) {
            Group group = byName.get(entry.group());
            if (group != null) {
                groups.put(entry, group);
            }
        }
        return new SuiteReport(suite, notRun, groups);
    }

    /** The table and what explains it. */
    public String markdown() {
        StringBuilder text = new StringBuilder("# Suite " + suite.name() + "\n\n");
        text.append("Returns of final policies by `fovea suite ")
                .append(suite.name())
                .append("`, a file per run in `cells/`: ")
                .append("the interquartile mean over seeds with its 95 % interval by bootstrap (Agarwal et al. 2021, ")
                .append(
                        "arXiv:2108.13264), greedy and with sampled actions; ± is the largest standard error of a seed.\n\n");
        text.append(
                "| environment | algorithm, policy | steps | seeds | greedy | sampled | to beat | random | memoryless | perfect |\n");
        text.append("|---|---|---|---|---|---|---|---|---|---|\n");
        List<String> sources = new ArrayList<>();
        groups.forEach((entry, group) -> {
            if (!group.results().isEmpty()) {
                text.append(row(entry, group)).append('\n');
                String source = entry.environment() + ", " + entry.algorithm() + ": " + entry.source();
                if (!entry.source().isEmpty() && !sources.contains(source)) {
                    sources.add(source);
                }
            }
        });
        text.append('\n');
        if (!sources.isEmpty()) {
            text.append("To beat: ").append(String.join("; ", sources)).append(".\n\n");
        }
        normalised(text);
        missing(text);
        made(text);
        return text.toString();
    }

    private static String row(Entry entry, Group group) {
        double error = group.results().stream()
                .mapToDouble(result -> result.greedy().standardError())
                .max()
                .orElse(Double.NaN);
        return "| "
                + String.join(
                        " | ",
                        entry.environment(),
                        entry.algorithm() + ", " + entry.policy() + settings(entry),
                        String.format(Locale.ROOT, "%,d", entry.steps()),
                        Integer.toString(group.results().size()),
                        estimate(group.greedy()) + (Double.isNaN(error) ? "" : " ± " + number(error)),
                        estimate(group.sampled()),
                        number(entry.toBeat()),
                        number(entry.random()),
                        number(entry.memoryless()),
                        number(entry.perfect()))
                + " |";
    }

    private static String settings(Entry entry) {
        StringBuilder text = new StringBuilder();
        entry.settings()
                .forEach((name, value) ->
                        text.append(", ").append(name).append('=').append(value));
        return text.toString();
    }

    private static String estimate(double[] scores) {
        Estimate estimate = ScoreStatistics.interquartileMean(List.of(scores));
        return scores.length == 1
                ? number(estimate.value())
                : number(estimate.value()) + " [" + number(estimate.low()) + ", " + number(estimate.high()) + "]";
    }

    static String number(double value) {
        if (Double.isNaN(value)) {
            return "";
        }
        int digits = Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 10 ? 2 : 3;
        return String.format(Locale.ROOT, "%." + digits + "f", value).replaceFirst("\\.0+$", "");
    }

    /** Over all tasks that have a ladder, by algorithm and policy. */
    private void normalised(StringBuilder text) {
        Map<String, List<double[]>> strata = new LinkedHashMap<>();
        groups.forEach((entry, group) -> {
            if (!group.results().isEmpty() && Double.isFinite(entry.normalised(0))) {
                strata.computeIfAbsent(entry.algorithm() + ", " + entry.label(), key -> new ArrayList<>())
                        .add(group.of(result -> entry.normalised(result.greedy().mean())));
            }
        });
        if (strata.isEmpty()) {
            return;
        }
        text.append(
                "From random (0) to perfect (1), interquartile means over tasks and seeds, stratified by task:\n\n");
        text.append("| algorithm, policy | tasks | greedy |\n|---|---|---|\n");
        strata.forEach((name, scores) -> {
            Estimate estimate = ScoreStatistics.interquartileMean(scores);
            text.append(String.format(
                    Locale.ROOT,
                    "| %s | %d | %s [%s, %s] |%n",
                    name,
                    scores.size(),
                    number(estimate.value()),
                    number(estimate.low()),
                    number(estimate.high())));
        });
        text.append('\n');
    }

    private void missing(StringBuilder text) {
        List<String> lines = new ArrayList<>();
        notRun.forEach((entry, reason) -> lines.add("- " + entry.group() + ": " + reason));
        groups.forEach((entry, group) -> {
            if (!group.missing().isEmpty()) {
                lines.add("- " + entry.group() + ": " + group.missing());
            }
        });
        if (!lines.isEmpty()) {
            text.append("Not run, or not to its end:\n\n")
                    .append(String.join("\n", lines))
                    .append("\n\n");
        }
    }

    private void made(StringBuilder text) {
        TreeSet<String> made = new TreeSet<>();
        groups.values()
                .forEach(group -> group.results().forEach(result -> {
                    Provenance by = result.provenance();
                    made.add("`" + by.command() + "` on " + by.machine() + ", " + result.backend() + ", Java "
                            + by.javaVersion() + ", "
                            + ("Fovea " + by.version() + " " + by.commit())
                                    .replaceAll(" +", " ")
                                    .strip() + ", "
                            + result.greedy().episodes() + " episodes");
                }));
        if (!made.isEmpty()) {
            text.append("Made by ").append(String.join("; ", made)).append(".\n");
        }
    }

    /** A picture of the learning curves for each environment, by the name of its file. */
    public Map<String, String> pictures() {
        Map<String, List<LineChart.Line>> lines = new LinkedHashMap<>();
        Map<String, Entry> entries = new LinkedHashMap<>();
        groups.forEach((entry, group) -> {
            Optional<LineChart.Line> line = group.curve(entry.algorithm() + ", " + entry.label());
            if (line.isPresent()) {
                entries.putIfAbsent(entry.environment(), entry);
                lines.computeIfAbsent(entry.environment(), key -> new ArrayList<>())
                        .add(line.get());
            }
        });
        Map<String, String> pictures = new LinkedHashMap<>();
        lines.forEach((environment, curves) -> {
            Entry entry = entries.get(environment);
            List<LineChart.Level> levels = new ArrayList<>();
            if (entry != null) {
                level(levels, "perfect", entry.perfect());
                level(levels, "to beat", entry.toBeat());
                level(levels, "best without memory", entry.memoryless());
                level(levels, "random", entry.random());
            }
            String file = "curves/" + environment.replaceAll("[^A-Za-z0-9._=-]+", "-") + ".svg";
            pictures.put(file, new LineChart(environment, Group.CURVE, curves, levels).svg());
        });
        return pictures;
    }

    private static void level(List<LineChart.Level> levels, String label, double value) {
        if (Double.isFinite(value) && levels.stream().noneMatch(level -> level.y() == value)) {
            levels.add(new LineChart.Level(label + " " + number(value), value));
        }
    }
}
