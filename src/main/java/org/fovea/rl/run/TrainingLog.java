// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.nio.file.Path;
import java.util.Locale;
import org.fovea.rl.learner.UpdateStatistics;

/** The table {@value RunFiles#PROGRESS} of a run: one line per iteration. */
final class TrainingLog implements AutoCloseable {
    private static final String HEADER =
            "iteration,steps,steps_per_second,mean_return,mean_length,episodes,policy_loss,value_loss,entropy,"
                    + "approximate_kl,clip_fraction,step_fraction,explained_variance,learning_rate,gradient_norm";

    private final RunTable table;

    private TrainingLog(RunTable table) {
        this.table = table;
    }

    /** Opens the table of a run after that many iterations; lines of later ones, from before a crash, are dropped. */
    static TrainingLog open(Path runDirectory, long iterations) {
        return new TrainingLog(RunTable.open(runDirectory.resolve(RunFiles.PROGRESS), HEADER, iterations));
    }

    void append(Progress progress, UpdateStatistics update) {
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
        table.close();
    }
}
