// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.nio.file.Path;
import java.util.Locale;
import org.fovea.rl.learner.UpdateStatistics;

/** The tables {@value RunFiles#PROGRESS} and {@value RunFiles#TIMES} of a run: one line per iteration. */
final class TrainingLog implements AutoCloseable {
    private static final String HEADER =
            "iteration,steps,steps_per_second,mean_return,mean_length,episodes,policy_loss,value_loss,entropy,"
                    + "approximate_kl,clip_fraction,step_fraction,explained_variance,learning_rate,gradient_norm";

    /** Date, in seconds since 1970, and the seconds since the line before. */
    private static final String TIMES_HEADER = "iteration,steps,date,environment,inference,update,idle";

    private final RunTable table;
    private final RunTable times;

    /**
     * Seconds that an iteration took.
     *
     * @param environment in which environments stepped, whether or not the policy acted in others meanwhile
     * @param inference in which the policy acted and no environment stepped
     * @param update in which it learned
     * @param idle since the iteration before, for evaluations, checkpoints and the like
     */
    record Times(double environment, double inference, double update, double idle) {}

    private TrainingLog(RunTable table, RunTable times) {
        this.table = table;
        this.times = times;
    }

    /** Opens the tables of a run after that many iterations; lines of later ones, from before a crash, are dropped. */
    static TrainingLog open(Path runDirectory, long iterations) {
        return new TrainingLog(
                RunTable.open(runDirectory.resolve(RunFiles.PROGRESS), HEADER, iterations),
                RunTable.open(runDirectory.resolve(RunFiles.TIMES), TIMES_HEADER, iterations));
    }

    void append(Progress progress, UpdateStatistics update, Times took) {
        times.append(String.format(
                Locale.ROOT,
                "%d,%d,%.3f,%.4g,%.4g,%.4g,%.4g",
                progress.iteration(),
                progress.steps(),
                System.currentTimeMillis() * 1e-3,
                took.environment,
                took.inference,
                took.update,
                took.idle));
        table.append(String.format(
                Locale.ROOT,
                "%d,%d,%.0f,%.5g,%.5g,%d,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g",
                progress.iteration(),
                progress.steps(),
                progress.stepsPerSecond(),
                progress.episodes().meanReturn(),
                progress.episodes().meanLength(),
                progress.episodes().count(),
                update.loss().policyLoss(),
                update.loss().valueLoss(),
                update.loss().entropy(),
                update.loss().approximateKl(),
                update.loss().clipFraction(),
                update.stepFraction(),
                update.explainedVariance(),
                update.learningRate(),
                update.gradientNorm()));
    }

    @Override
    public void close() {
        try (times) {
            table.close();
        }
    }
}
