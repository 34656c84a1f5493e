// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.fovea.cli.EpisodeOptions.Recorded;
import org.fovea.rl.evaluation.AttentionMap;
import org.fovea.rl.evaluation.AttentionMap.Over;
import org.fovea.rl.evaluation.Episode;
import org.jspecify.annotations.Nullable;

/** Steps of an episode as lines of text: the environment, what was done, and for each layer of attention a strip of shades. */
final class EpisodeText {
    /** From nothing to all of the largest weight. */
    private static final String SHADES = "·░▒▓█";

    private static final int MOST_NUMBERS = 3;
    private static final int MOST_OBSERVED = 16;

    private final Recorded recorded;
    private final List<AttentionMap> layers;
    private final int width;

    /** @param layers those that are shown */
    EpisodeText(Recorded recorded, List<AttentionMap> layers, int width) {
        this.recorded = recorded;
        this.layers = layers;
        this.width = width;
    }

    int steps() {
        return recorded.steps();
    }

    /**
     * What there is to see of a step.
     *
     * @param head of each layer; null for their mean
     * @param layer of those that are shown, from 0; -1 for all
     */
    List<String> frame(int step, @Nullable Integer head, int layer) {
        Episode.Step at = recorded.episode().steps().get(step);
        double before = recorded.episode().steps().subList(0, step).stream()
                .mapToDouble(Episode.Step::reward)
                .sum();
        List<String> lines = new ArrayList<>();
        lines.add(String.format(
                Locale.ROOT,
                "%s, episode %d, step %d of %d, return so far %s",
                recorded.environment(),
                recorded.episode().seed(),
                step,
                recorded.steps() - 1,
                NumberFormats.score(before)));
        lines.addAll(view(at.view(), at.observation()));
        lines.add("action " + action(at) + "   value " + NumberFormats.score(at.value()) + "   reward "
                + NumberFormats.score(at.reward()));
        for (int i = 0; i < layers.size(); i++) {
            if (layer < 0 || layer == i) {
                AttentionMap map = layers.get(i);
                lines.addAll(strip(map, step, head == null || head >= map.heads() ? null : head));
            }
        }
        return lines;
    }

    /** What there is to see after the last step. */
    List<String> end() {
        List<String> lines = new ArrayList<>();
        Episode episode = recorded.episode();
        lines.add(String.format(
                Locale.ROOT,
                "%s after %d steps, return %s",
                switch (episode.end()) {
                    case TERMINATED -> "ended";
                    case TRUNCATED -> "cut by the environment's time limit";
                    case CUT -> "cut by --max-episode-steps";
                },
                recorded.steps(),
                NumberFormats.score(episode.totalReward())));
        if (!episode.last().text().isEmpty()) {
            lines.addAll(view(episode.last(), new float[0]));
        }
        return lines;
    }

    /** The environment's own text, or the numbers that were observed. */
    private static List<String> view(Episode.View view, float[] observation) {
        if (!view.text().isEmpty()) {
            return view.text()
                    .lines()
                    .map(line -> line.replaceAll("\\p{Cntrl}", "?"))
                    .toList();
        }
        StringBuilder numbers = new StringBuilder("observed");
        for (int i = 0; i < Math.min(MOST_OBSERVED, observation.length); i++) {
            numbers.append(String.format(Locale.ROOT, " %.3g", observation[i]));
        }
        return List.of(observation.length > MOST_OBSERVED ? numbers + " ..." : numbers.toString());
    }

    private static String action(Episode.Step step) {
        if (step.probabilities().length == 0) {
            StringBuilder numbers = new StringBuilder();
            for (float value : step.action().values()) {
                numbers.append(numbers.isEmpty() ? "" : " ").append(String.format(Locale.ROOT, "%.3f", value));
            }
            return numbers.toString();
        }
        int[] choices = step.action().choices();
        String chosen = choices.length == 1 ? Integer.toString(choices[0]) : Arrays.toString(choices);
        return choices.length == 1
                ? String.format(Locale.ROOT, "%s (probability %.2f)", chosen, step.probabilities()[choices[0]])
                : chosen;
    }

    /** A shade for each step up to this one, or for each entity, and the largest weights as numbers. */
    private List<String> strip(AttentionMap map, int step, @Nullable Integer head) {
        boolean isOverSteps = map.over() == Over.STEPS;
        int count = isOverSteps ? step + 1 : map.keys();
        float[] weights = new float[count];
        for (int key = 0; key < map.keys(); key++) {
            int at = isOverSteps ? step - key : key;
            if (at >= 0) {
                weights[at] = weight(map, step, head, key);
            }
        }
        String label = map.name() + (map.heads() == 1 ? "" : head == null ? ", mean of heads" : ", head " + head);
        int shown = Math.min(count, Math.max(8, width - 4));
        float largest = 0;
        for (float weight : weights) {
            largest = Math.max(largest, weight);
        }
        StringBuilder shades = new StringBuilder();
        for (int i = count - shown; i < count; i++) {
            int shade =
                    largest == 0 ? 0 : Math.min(SHADES.length() - 1, (int) (weights[i] / largest * SHADES.length()));
            shades.append(SHADES.charAt(shade));
        }
        String what = isOverSteps ? "step" : "entity";
        StringBuilder numbers = new StringBuilder();
        IntStream.range(0, count)
                .boxed()
                .sorted(Comparator.comparing((Integer i) -> -weights[i]))
                .limit(MOST_NUMBERS)
                .forEach(i -> numbers.append(String.format(Locale.ROOT, "   %s %d %.2f", what, i, weights[i])));
        return List.of(label + numbers, "  " + shades + (shown < count ? "   from step " + (count - shown) : ""));
    }

    private static float weight(AttentionMap map, int step, @Nullable Integer head, int key) {
        float sum = 0;
        for (int query = 0; query < map.queries(); query++) {
            sum += head == null ? map.meanWeight(step, query, key) : map.weight(step, head, query, key);
        }
        return sum / map.queries();
    }
}
