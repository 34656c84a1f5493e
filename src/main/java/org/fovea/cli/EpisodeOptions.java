// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.rl.evaluation.AttentionMap;
import org.fovea.rl.evaluation.Episode;
import org.fovea.rl.evaluation.EpisodeRecorder;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.rollout.PlaySettings;
import org.fovea.rl.run.SavedRun;
import org.fovea.rl.run.TrainedPolicy;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Options of commands that look at one episode of a run. */
final class EpisodeOptions {
    @Parameters(paramLabel = "RUN", description = "Directory of the run; fovea runs lists them.")
    @SuppressWarnings("NullAway.Init")
    Path runDirectory;

    @Option(
            names = "--episode",
            paramLabel = "SEED",
            description = "Which episode: the one that fovea eval --episodes 1 --seed SEED plays (default: 1000003).")
    long seed = EvaluationSettings.DEFAULT_SEED;

    @Option(names = "--stochastic", description = "Draw actions from the policy, in place of the most likely ones.")
    private boolean stochastic;

    @Option(names = "--best", description = "The policy that evaluations during training found to be the best.")
    private boolean best;

    @Option(
            names = "--max-episode-steps",
            paramLabel = "N",
            description = "Steps after which the episode is cut (default: " + EpisodeRecorder.DEFAULT_MAX_STEPS + ").")
    private int maxSteps = EpisodeRecorder.DEFAULT_MAX_STEPS;

    @Option(names = "--layer", paramLabel = "N", description = "This layer of attention alone, from 0 (default: all).")
    private @Nullable Integer layer;

    @Option(
            names = "--head",
            paramLabel = "N",
            description = "This head alone, from 0 (default: all; in watch their mean).")
    @Nullable
    Integer head;

    @ArgGroup(validate = false, heading = "%nHow environments are played:%n")
    private PlayOptions play = new PlayOptions();

    /** What is known of an episode. */
    record Recorded(String environment, Episode episode) {
        int steps() {
            return episode.steps().size();
        }
    }

    /** Does what the options about environments say, before a backend is opened. */
    void apply() {
        play.apply();
    }

    /** Plays the episode. */
    Recorded record(Backend backend, Terminal terminal) throws IOException {
        if (maxSteps < 1) {
            throw new UsageException("--max-episode-steps must be at least 1, got " + maxSteps);
        }
        if (!Files.isDirectory(runDirectory)) {
            throw new UsageException("there is no run directory " + runDirectory + "; fovea runs lists what there is");
        }
        SavedRun saved = best ? SavedRun.loadBest(runDirectory) : SavedRun.load(runDirectory);
        PlaySettings settings = new PlaySettings(play.environmentThreads(0), PlaySettings.Overlap.OFF, play.place());
        TrainedPolicy policy = TrainedPolicy.open(backend, saved, EvaluationSettings.of(1, seed), settings);
        try {
            return new Recorded(
                    saved.spec().environment(),
                    policy.record(new EpisodeRecorder.Settings(seed, stochastic, maxSteps, 0)));
        } finally {
            Failures.reportClosing(policy::close, terminal);
        }
    }

    /** The layers of attention that are wanted, each of which has the head that is; empty if there are none. */
    List<AttentionMap> layers(Episode episode) {
        List<AttentionMap> wanted = episode.attention().stream()
                .filter(map -> layer == null || map.layer() == layer)
                .toList();
        wanted.forEach(this::requireHead);
        return wanted;
    }

    private void requireHead(AttentionMap map) {
        if (head != null && (head < 0 || head >= map.heads())) {
            throw new UsageException("--head must be from 0 to " + (map.heads() - 1) + ", got " + head);
        }
    }

    /** Says that there is no such layer. */
    UsageException noSuchLayer(Episode episode) {
        return new UsageException(
                episode.attention().isEmpty()
                        ? "the policy of " + runDirectory
                                + " has no attention: it is neither an attention policy nor sees entities"
                        : "--layer must be one of "
                                + episode.attention().stream()
                                        .map(map -> Integer.toString(map.layer()))
                                        .distinct()
                                        .toList()
                                + ", got " + layer);
    }
}
