// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.rl.run.RunFiles;

/**
 * Mean returns over the steps of a run.
 *
 * @param steps rising
 * @param returns at those steps, finite
 */
public record Curve(double[] steps, double[] returns) {
    /** Points that are kept of a run's table. */
    private static final int MOST_POINTS = 200;

    /** The mean returns in a run's table, thinned evenly. */
    static Curve of(Path runDirectory) throws IOException {
        List<String> lines = Files.readAllLines(runDirectory.resolve(RunFiles.PROGRESS));
        List<String> columns = Arrays.asList(lines.get(0).split(",", -1));
        int stepsColumn = columns.indexOf("steps");
        int returnColumn = columns.indexOf("mean_return");
        List<double[]> points = new ArrayList<>();
        for (String line : lines.subList(1, lines.size())) {
            String[] cells = line.split(",", -1);
            double[] point = {Double.parseDouble(cells[stepsColumn]), Double.parseDouble(cells[returnColumn])};
            if (Double.isFinite(point[1])) {
                points.add(point);
            }
        }
        int kept = Math.min(MOST_POINTS, points.size());
        double[] steps = new double[kept];
        double[] returns = new double[kept];
        for (int i = 0; i < kept; i++) {
            // The last point is always among them.
            double[] point = points.get((int) ((i + 1L) * points.size() / kept - 1));
            steps[i] = point[0];
            returns[i] = point[1];
        }
        return new Curve(steps, returns);
    }

    /** On the line between the points beside it; NaN before the first, the last after it. */
    double at(double step) {
        int next = Arrays.binarySearch(steps, step);
        if (next >= 0) {
            return returns[next];
        }
        next = -next - 1;
        if (next == 0) {
            return Double.NaN;
        }
        if (next == steps.length) {
            return returns[next - 1];
        }
        double share = (step - steps[next - 1]) / (steps[next] - steps[next - 1]);
        return returns[next - 1] + share * (returns[next] - returns[next - 1]);
    }
}
