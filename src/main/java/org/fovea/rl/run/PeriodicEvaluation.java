// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.fovea.collective.Collective;
import org.fovea.rl.evaluation.Evaluation;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.rollout.EnvironmentSet;
import org.jspecify.annotations.Nullable;

/**
 * Plays the evaluations of an {@link EvaluationPlan}: writes them to {@value RunFiles#EVALUATIONS} and keeps the checkpoint of the
 * best policy in {@value RunFiles#BEST}. It has environments of its own, and takes nothing from the random streams of training.
 */
final class PeriodicEvaluation implements AutoCloseable {
    private static final String HEADER =
            "iteration,steps,episodes,episodes_cut,return_mean,return_std,return_min,return_max,mean_length";

    private final EvaluationPlan plan;
    private final EvaluationSettings settings;
    private final TrainingState state;
    private final Collective collective;

    /** The first member's. */
    private final @Nullable TensorBoardLog events;

    private final Path bestDirectory;
    private final EnvironmentSet environments;

    /** Null where none is played, and for any but the first member. */
    private final @Nullable RunTable table;

    /** Of the last that is in the table. */
    private final long lastIteration;

    private double last = Double.NaN;
    private TrainResult.Best best;
    private long nanos;

    private PeriodicEvaluation(
            EvaluationPlan plan,
            EvaluationSettings settings,
            TrainingState state,
            Path runDirectory,
            @Nullable TensorBoardLog events,
            EnvironmentSet environments)
            throws IOException {
        this.plan = plan;
        this.settings = settings;
        this.state = state;
        this.events = events;
        this.bestDirectory = runDirectory.resolve(RunFiles.BEST);
        this.environments = environments;
        this.collective = state.collective();
        boolean isFirst = collective.rank() == 0;
        TrainResult.Best before = isFirst ? SavedRun.keepBestUntil(runDirectory, steps()) : TrainResult.Best.NONE;
        this.table = plan.everySteps() == 0 || !isFirst
                ? null
                : RunTable.open(runDirectory.resolve(RunFiles.EVALUATIONS), HEADER, state.iteration());
        long last = table == null ? 0 : table.lastIteration();
        if (collective.size() > 1) {
            double[] ofFirst = collective.gather(before.steps(), before.meanReturn(), last)[0];
            before = new TrainResult.Best((long) ofFirst[0], ofFirst[1]);
            last = (long) ofFirst[2];
        }
        this.best = before;
        this.lastIteration = last;
    }

    /** Makes the environments, if there is a plan, and goes on with the table of the run. */
    static PeriodicEvaluation open(
            EvaluationPlan plan,
            int maxSteps,
            TrainingState state,
            Path runDirectory,
            @Nullable TensorBoardLog events) {
        EvaluationSettings settings = plan.settings(maxSteps);
        int count = plan.everySteps() == 0
                ? 0
                : Evaluation.environmentsOf(
                        state.collective(), settings, state.spec().environments());
        EnvironmentSet environments = count == 0 ? new EnvironmentSet(List.of()) : state.newEnvironments(count);
        try {
            return new PeriodicEvaluation(plan, settings, state, runDirectory, events, environments);
        } catch (IOException e) {
            try (environments) {
                throw new UncheckedIOException("cannot evaluate the run in " + runDirectory, e);
            }
        } catch (RuntimeException | Error failure) {
            try (environments) {
                throw failure;
            }
        }
    }

    private long steps() {
        return state.iteration() * state.spec().stepsPerIteration();
    }

    /** Whether one is to be played of the policy as it is; of that of a resumed run, only if it has not been. */
    boolean isDue() {
        RunSpec spec = state.spec();
        return plan.everySteps() > 0
                && state.iteration() > lastIteration
                && plan.isDue(
                        steps() - spec.stepsPerIteration(), steps(), spec.iterations() * spec.stepsPerIteration());
    }

    /**
     * Plays one. If it is stopped, it is as if it had not been played.
     *
     * @return whether it is the best so far
     */
    boolean play(Evaluation.Listener listener, BooleanSupplier stop) {
        long start = System.nanoTime();
        RunSpec spec = state.spec();
        EvaluationResult result = Evaluation.play(
                state.agent(),
                environments,
                spec.environments(),
                spec.config().rollout().rolloutSteps(),
                settings,
                listener,
                stop,
                collective);
        if (result.end() != EvaluationResult.End.COMPLETE) {
            nanos += System.nanoTime() - start;
            return false;
        }
        if (events != null) {
            events.evaluated(result);
            events.attention(settings.seed(), stop);
        }
        nanos += System.nanoTime() - start;
        last = result.mean();
        if (table != null) {
            table.append(String.format(
                    Locale.ROOT,
                    "%d,%d,%d,%d,%.5g,%.5g,%.5g,%.5g,%.5g",
                    state.iteration(),
                    steps(),
                    result.episodes(),
                    result.cut(),
                    result.mean(),
                    result.std(),
                    result.min(),
                    result.max(),
                    result.meanLength()));
        }
        if (result.mean() > best.meanReturn() || Double.isNaN(best.meanReturn())) {
            best = new TrainResult.Best(steps(), result.mean());
            return true;
        }
        return false;
    }

    /** Keeps the policy that is the best so far, as a checkpoint of its own with the run's metadata. */
    void keepBest(Map<String, String> ofRun) throws IOException {
        Map<String, String> metadata = new LinkedHashMap<>(ofRun);
        metadata.putAll(best.save());
        SavedRun.save(state, bestDirectory, metadata);
    }

    /** Mean return of the last that was played since the run was started or resumed, NaN before. */
    double last() {
        return last;
    }

    /** The best of the whole run. */
    TrainResult.Best best() {
        return best;
    }

    /** Whether the target has been reached, by this process or an earlier one. */
    boolean targetReached() {
        return best.meanReturn() >= plan.target();
    }

    /** What evaluations have taken. */
    long nanos() {
        return nanos;
    }

    @Override
    public void close() {
        try (environments) {
            if (table != null) {
                table.close();
            }
        }
    }
}
