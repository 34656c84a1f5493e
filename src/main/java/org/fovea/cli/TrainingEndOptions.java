// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.run.EvaluationPlan;
import org.fovea.rl.run.TrainingOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options about evaluations, and what ends training early; null where not given. */
final class TrainingEndOptions {
    @Option(
            names = "--eval-every",
            paramLabel = "STEPS",
            description = "Evaluate greedily whenever so many steps were taken, and keep the best policy (fovea eval"
                    + " --best); 0 for never (default: 0). A resumed run keeps this, --eval-episodes and --target.")
    private @Nullable Long every;

    @Option(names = "--eval-episodes", paramLabel = "N", description = "Episodes of each of these (default: 20).")
    private @Nullable Integer periodicEpisodes;

    @Option(
            names = "--target",
            paramLabel = "RETURN",
            description = "End training when one of these has such a mean return (default: none).")
    private @Nullable Double target;

    @Option(
            names = "--time-limit",
            paramLabel = "TIME",
            description = "Stop after so many minutes, or after 90s, 10m, 1h30m; the run can be resumed (default:"
                    + " none).")
    private @Nullable String timeLimit;

    @Option(
            names = "--final-episodes",
            paramLabel = "N",
            description = "Episodes to play when training is done; 0 for none (default: 100).")
    private int episodes = EvaluationSettings.FINAL.episodes();

    @Option(
            names = "--final-seconds",
            paramLabel = "S",
            description = "Seconds after which those that have ended must do (default: 30).")
    private double seconds = EvaluationSettings.FINAL.maxSeconds();

    @Option(
            names = "--max-episode-steps",
            paramLabel = "N",
            description = "Steps after which an episode of the evaluation is cut (default: 10000).")
    private int maxSteps = EvaluationSettings.DEFAULT_MAX_STEPS;

    TrainingOptions options(EvaluationPlan before, Settings settings) {
        EvaluationPlan plan = UsageException.ifIllegal(() -> new EvaluationPlan(
                every == null ? before.everySteps() : every,
                periodicEpisodes == null ? before.episodes() : periodicEpisodes,
                target == null ? before.target() : target));
        double limit = timeLimit == null ? Double.POSITIVE_INFINITY : NumberFormats.seconds("--time-limit", timeLimit);
        return new TrainingOptions(evaluation(), plan, limit, settings.backend());
    }

    private EvaluationSettings evaluation() {
        if (episodes < 0) {
            throw new UsageException("--final-episodes must be at least 0, got " + episodes);
        }
        if (!(seconds > 0)) {
            throw new UsageException("--final-seconds must be greater than 0, got " + seconds);
        }
        if (maxSteps < 1) {
            throw new UsageException("--max-episode-steps must be at least 1, got " + maxSteps);
        }
        return new EvaluationSettings(episodes, EvaluationSettings.DEFAULT_SEED, maxSteps, seconds);
    }
}
