// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.fovea.rl.chart.LineChart;
import org.fovea.rl.experiment.Curve.Spread;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Experiment.State;

/** The cells that differ by their seed alone, and what is known of them so far. */
public record Group(String name, List<Outcome> outcomes) {
    /** What {@link #curve} shows. */
    public static final String CURVE =
            "returns while training, with sampled actions, means of 100 episodes: median of the seeds and their range";

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
        return Curve.line(label, results().stream().map(CellResult::curve).toList(), Spread.MEDIAN_AND_RANGE);
    }
}
