// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.fovea.env.EnvironmentSpec.ReferenceReturn;
import org.fovea.rl.chart.LineChart;
import org.fovea.rl.chart.LineChart.Level;
import org.fovea.rl.experiment.Curve;
import org.fovea.rl.run.RunFiles;

/** Draws the return over the steps of a run. */
final class LearningCurve {
    private LearningCurve() {}

    /**
     * Draws the curve of a run from its table.
     *
     * @return the picture, or nothing where no episode has ended yet
     */
    static Optional<Path> draw(Path runDirectory, String title, List<ReferenceReturn> references) throws IOException {
        Curve curve = Curve.of(runDirectory.resolve(RunFiles.PROGRESS), "mean_return");
        if (curve.steps().length == 0) {
            return Optional.empty();
        }
        double[] y = curve.returns();
        List<Level> levels = references.stream()
                .map(reference -> new Level(
                        reference.name() + " " + NumberFormats.score(reference.meanReturn()), reference.meanReturn()))
                .toList();
        LineChart chart = new LineChart(
                title,
                "mean return of the last 100 episodes of training",
                List.of(new LineChart.Line(runDirectory.getFileName().toString(), curve.steps(), y, y, y)),
                levels);
        Path picture = runDirectory.resolve(RunFiles.LEARNING_CURVE);
        chart.write(picture);
        return Optional.of(picture);
    }
}
