// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Experiment.State;

/** The cells that differ by their seed alone, and what is known of them so far. */
public record Group(String name, List<Outcome> outcomes) {
    /** What {@link #curve} shows. */
    public static final String CURVE =
            "returns while training, with sampled actions, means of 100 episodes: median of the seeds and their range";

    /** Places of a learning curve. */
    private static final int CURVE_POINTS = 100;

    /** In the order of their first cells. */
    public static List<Group> of(List<Outcome> outcomes) {
        Map<String, List<Outcome>> groups = new LinkedHashMap<>();
        for (Outcome outcome : outcomes) {
            groups.computeIfAbsent(outcome.cell().group(), name -> new ArrayList<>())
                    .add(outcome);
        }
        return groups.entrySet().stream()
                .map(entry -> new Group(entry.getKey(), entry.getValue()))
                .toList();
    }

    /** Those there are. */
    public List<CellResult> results() {
        return outcomes.stream()
                .flatMap(outcome -> Optional.ofNullable(outcome.result()).stream())
                .toList();
    }

    /** A number of each result. */
    public double[] of(ToDoubleFunction<CellResult> number) {
        return results().stream().mapToDouble(number).toArray();
    }

    /** Mean greedy returns, one per seed. */
    public double[] greedy() {
        return of(result -> result.greedy().mean());
    }

    /** Mean returns with sampled actions. */
    public double[] sampled() {
        return of(result -> result.sampled().mean());
    }

    /** What has no result yet, in words; empty if nothing. */
    public String missing() {
        List<String> parts = new ArrayList<>();
        for (State state : List.of(State.BEGUN, State.NOT_RUN, State.FAILED)) {
            long count = outcomes.stream()
                    .filter(outcome -> outcome.state() == state)
                    .count();
            if (count > 0) {
                String words = state.name().toLowerCase(Locale.ROOT).replace('_', ' ');
                parts.add(count == outcomes.size() ? words : count + " " + words);
            }
        }
        return String.join(", ", parts);
    }

    /** The median of the seeds' learning curves and the range that they are in; nothing where there is none. */
    public Optional<LineChart.Line> curve(String label) {
        List<Curve> curves = results().stream()
                .map(CellResult::curve)
                .filter(curve -> curve.steps().length > 0)
                .toList();
        if (curves.isEmpty()) {
            return Optional.empty();
        }
        double first =
                curves.stream().mapToDouble(curve -> curve.steps()[0]).max().orElseThrow();
        double last = curves.stream()
                .mapToDouble(curve -> curve.steps()[curve.steps().length - 1])
                .max()
                .orElseThrow();
        double[] x = new double[CURVE_POINTS];
        double[] middle = new double[CURVE_POINTS];
        double[] low = new double[CURVE_POINTS];
        double[] high = new double[CURVE_POINTS];
        for (int i = 0; i < CURVE_POINTS; i++) {
            x[i] = first + (last - first) * i / (CURVE_POINTS - 1);
            double step = x[i];
            double[] returns =
                    curves.stream().mapToDouble(curve -> curve.at(step)).toArray();
            Arrays.sort(returns);
            middle[i] = ScoreStatistics.median(returns);
            low[i] = returns[0];
            high[i] = returns[returns.length - 1];
        }
        return Optional.of(new LineChart.Line(label, x, middle, low, high));
    }
}
