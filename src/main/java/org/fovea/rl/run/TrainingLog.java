// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.fovea.rl.learner.UpdateStatistics;

/** The table {@value RunFiles#PROGRESS} of a run: one line per iteration. */
final class TrainingLog implements AutoCloseable {
    private static final String HEADER =
            "iteration,steps,steps_per_second,mean_return,mean_length,episodes,policy_loss,value_loss,entropy,"
                    + "approximate_kl,clip_fraction,step_fraction,explained_variance,learning_rate,gradient_norm";

    private final Path file;
    private final BufferedWriter writer;

    private TrainingLog(Path file, BufferedWriter writer) {
        this.file = file;
        this.writer = writer;
    }

    /** Opens the table of a run after that many iterations; lines of later ones, from before a crash, are dropped. */
    static TrainingLog open(Path runDirectory, long iterations) {
        Path file = runDirectory.resolve(RunFiles.PROGRESS);
        try {
            List<String> lines = new ArrayList<>(List.of(HEADER));
            if (iterations > 0 && Files.exists(file)) {
                List<String> written = Files.readAllLines(file);
                lines.addAll(written.subList(1, (int) Math.min(written.size(), iterations + 1)));
            }
            Files.write(file, lines);
            return new TrainingLog(
                    file, Files.newBufferedWriter(file, StandardCharsets.UTF_8, StandardOpenOption.APPEND));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    void append(Progress progress, UpdateStatistics update) {
        try {
            writer.write(String.format(
                    Locale.ROOT,
                    "%d,%d,%.0f,%.5g,%.5g,%d,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g%n",
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
            writer.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    @Override
    public void close() {
        try {
            writer.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }
}
