// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import java.awt.geom.Rectangle2D;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.rl.evaluation.AttentionMap;
import org.fovea.rl.evaluation.Episode;
import org.fovea.rl.evaluation.EpisodeRecorder;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.rollout.EnvironmentPlace;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.TrainedPolicy;
import org.jspecify.annotations.Nullable;

/** Plays episodes with the policies of runs, one at a time, and keeps some. */
final class Episodes implements AutoCloseable {
    private static final int MOST_KEPT = 16;
    private static final long MOST_NUMBERS = 64L << 20;
    private static final int PICTURE_WIDTH = 640;
    private static final int MOST_STEPS = 1_000;
    private static final long MOST_NANOS = 60_000_000_000L;
    private static final String PYTHON = "gym:";

    private final boolean playsPython;
    private final Backend backend = Backends.open("cpu", 1).backend();
    private long numbers;

    /** Those used last are the last. */
    private final Map<Key, Played> kept = Collections.synchronizedMap(new LinkedHashMap<>(16, 0.75f, true));

    /** @param playsPython whether environments of Python are started, which a run's own settings name */
    Episodes(boolean playsPython) {
        this.playsPython = playsPython;
    }

    /** Which episode: of which policy, and how it is played. */
    private record Key(Path run, boolean best, long steps, long seed, boolean sampled) {}

    private record Played(long number, long steps, Episode episode, String environment) {}

    /** As the page is told of an episode; pictures and weights are asked for by its number. */
    record Told(
            long number,
            String environment,
            long trainedSteps,
            boolean sampled,
            String end,
            double totalReward,
            List<String> observation,
            List<Integer> choices,
            boolean hasPictures,
            String drawingFailure,
            List<ToldStep> steps,
            ToldView last,
            List<ToldMap> maps) {}

    record ToldStep(
            ToldView view,
            float[] observation,
            int[] choices,
            float[] values,
            float reward,
            float value,
            float[] probabilities,
            float[] means,
            float[] deviations) {}

    record ToldView(String text, double @Nullable [] place, Map<String, List<double @Nullable []>> entities) {}

    record ToldMap(String name, String over, String path, int layer, int heads, int queries, int keys) {}

    /**
     * The episode of a run's policy with a seed.
     *
     * @param best whether of the policy that evaluations found to be the best; else of the newest
     */
    synchronized Told play(Path run, boolean best, long seed, boolean sampled) throws IOException, RequestException {
        SavedRun saved = best ? SavedRun.loadBest(run) : SavedRun.load(run);
        String environment = saved.spec().environment();
        if (environment.startsWith(PYTHON) && !playsPython) {
            throw new RequestException(
                    403,
                    environment + " is an environment of Python, which the run names and this machine would start;"
                            + " fovea dashboard --python allows that");
        }
        Key key = new Key(run, best, saved.steps(), seed, sampled);
        Played played = kept.get(key);
        if (played == null) {
            played = new Played(++numbers, saved.steps(), record(saved, seed, sampled), environment);
            synchronized (kept) {
                kept.put(key, played);
                while (kept.size() > 1 && (kept.size() > MOST_KEPT || numbersKept() > MOST_NUMBERS)) {
                    kept.remove(kept.keySet().iterator().next());
                }
            }
        }
        return told(played);
    }

    /** Weights of all episodes. */
    private long numbersKept() {
        return kept.values().stream()
                .flatMap(played -> played.episode.attention().stream())
                .mapToLong(map -> map.weights().length)
                .sum();
    }

    private Episode record(SavedRun saved, long seed, boolean sampled) throws IOException {
        PlaySettings play = new PlaySettings(1, PlaySettings.Overlap.OFF, EnvironmentPlace.HOST);
        try (TrainedPolicy policy = TrainedPolicy.open(backend, saved, EvaluationSettings.of(1, seed), play)) {
            long start = System.nanoTime();
            return policy.record(
                    new EpisodeRecorder.Settings(seed, sampled, MOST_STEPS, PICTURE_WIDTH),
                    () -> System.nanoTime() - start > MOST_NANOS);
        }
    }

    private static Told told(Played played) {
        Episode episode = played.episode;
        EnvironmentSpec.Spaces spaces = episode.spaces();
        Schema observations = Schema.of(spaces.observations());
        List<String> names = new ArrayList<>();
        for (int i = 0; i < spaces.observations().size(); i++) {
            names.add(observations.element(i));
        }
        List<Integer> choices = new ArrayList<>();
        for (int n : Schema.of(spaces.actions()).choices()) {
            choices.add(n);
        }
        return new Told(
                played.number,
                played.environment,
                played.steps,
                episode.sampled(),
                episode.end().name().toLowerCase(Locale.ROOT),
                episode.totalReward(),
                names,
                choices,
                episode.steps().get(0).view().picture().length > 0,
                episode.drawingFailure(),
                episode.steps().stream()
                        .map(step -> new ToldStep(
                                told(step.view()),
                                step.observation(),
                                step.action().choices(),
                                step.action().values(),
                                step.reward(),
                                step.value(),
                                step.probabilities(),
                                step.means(),
                                step.deviations()))
                        .toList(),
                told(episode.last()),
                episode.attention().stream()
                        .map(map -> new ToldMap(
                                map.name(),
                                map.over().name(),
                                map.path(),
                                map.layer(),
                                map.heads(),
                                map.queries(),
                                map.keys()))
                        .toList());
    }

    private static ToldView told(Episode.View view) {
        Map<String, List<double @Nullable []>> entities = new LinkedHashMap<>();
        for (Episode.Entities set : view.entities()) {
            List<double @Nullable []> places = new ArrayList<>();
            set.places().forEach(place -> places.add(told(place)));
            entities.put(set.path(), places);
        }
        return new ToldView(view.text(), told(view.place()), entities);
    }

    private static double @Nullable [] told(@Nullable Rectangle2D place) {
        return place == null ? null : new double[] {place.getX(), place.getY(), place.getWidth(), place.getHeight()};
    }

    private Episode episode(long number) throws RequestException {
        synchronized (kept) {
            return kept.values().stream()
                    .filter(played -> played.number == number)
                    .findFirst()
                    .orElseThrow(() -> new RequestException(404, "that episode is no longer kept; play it again"))
                    .episode;
        }
    }

    /** PNG of a step; of the last if it is the number of steps. */
    byte[] picture(long number, int step) throws RequestException {
        Episode episode = episode(number);
        if (step > episode.steps().size()) {
            throw new RequestException(404, "the episode has " + episode.steps().size() + " steps");
        }
        Episode.View view = step == episode.steps().size()
                ? episode.last()
                : episode.steps().get(step).view();
        return view.picture();
    }

    /** Weights of a map, [steps, heads, queries, keys], 4-byte floats, little-endian. */
    byte[] weights(long number, int map) throws RequestException {
        List<AttentionMap> maps = episode(number).attention();
        if (map >= maps.size()) {
            throw new RequestException(404, "the episode has " + maps.size() + " maps of attention");
        }
        float[] weights = maps.get(map).weights();
        ByteBuffer bytes = ByteBuffer.allocate(4 * weights.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(weights);
        return bytes.array();
    }

    @Override
    public synchronized void close() {
        backend.close();
    }
}
