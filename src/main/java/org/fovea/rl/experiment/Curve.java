// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.chart.LineChart;
import org.fovea.rl.run.RunFiles;
import org.fovea.rl.run.TrainingTime;

/**
 * Mean returns over the steps of a run, or over the seconds that it took.
 *
 * @param steps rising
 * @param returns at those steps, finite
 */
public record Curve(double[] steps, double[] returns) {
    /** Points that are kept of a run's table. */
    private static final int MOST_POINTS = 200;

    /** Places of a line of several curves. */
    private static final int LINE_POINTS = 100;

    private static final String STEPS = "steps";

    /** The mean returns in a run's table, thinned evenly. */
    static Curve of(Path runDirectory) throws IOException {
        return of(runDirectory.resolve(RunFiles.PROGRESS), "mean_return");
    }

    /**
     * A column over the steps of a run's table, thinned evenly; of a table that is being written, the lines that are whole.
     *
     * @throws UnknownNameException if the table has no such column
     */
    public static Curve of(Path table, String column) throws IOException {
        List<double[]> points = new ArrayList<>();
        try (BufferedReader lines = Files.newBufferedReader(table)) {
            String header = lines.readLine();
            List<String> columns = Arrays.asList((header == null ? "" : header).split(",", -1));
            int stepsColumn = columns.indexOf(STEPS);
            int valueColumn = columns.indexOf(column);
            if (valueColumn < 0) {
                throw new UnknownNameException("column of " + table, column, columns);
            }
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] cells = line.split(",", -1);
                double value = cells.length == columns.size() ? Double.parseDouble(cells[valueColumn]) : Double.NaN;
                if (Double.isFinite(value)) {
                    points.add(new double[] {Double.parseDouble(cells[stepsColumn]), value});
                }
            }
        } catch (NumberFormatException | IndexOutOfBoundsException e) {
            throw new IOException(table + " is not the table of a run: " + e.getMessage(), e);
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

    /** The same over the seconds that the run had been trained by then. */
    public Curve over(TrainingTime time) {
        int[] known = IntStream.range(0, steps.length)
                .filter(i -> Double.isFinite(time.at(steps[i])))
                .toArray();
        return new Curve(
                Arrays.stream(known).mapToDouble(i -> time.at(steps[i])).toArray(),
                Arrays.stream(known).mapToDouble(i -> returns[i]).toArray());
    }

    /** What a line and a band say of several curves. */
    public enum Spread {
        /** Their median and the range that they are in; one that has ended goes on as it ended. */
        MEDIAN_AND_RANGE,
        /** Their mean and their standard deviation; one that has ended counts no more. */
        MEAN_AND_DEVIATION
    }

    /** A line of several curves, from where all have begun to where the last ends; nothing where there is no point. */
    public static Optional<LineChart.Line> line(String label, List<Curve> all, Spread spread) {
        List<Curve> curves =
                all.stream().filter(curve -> curve.steps.length > 0).toList();
        if (curves.isEmpty()) {
            return Optional.empty();
        }
        double first =
                curves.stream().mapToDouble(curve -> curve.steps[0]).max().orElseThrow();
        double last = curves.stream().mapToDouble(Curve::end).max().orElseThrow();
        double[] x = new double[LINE_POINTS];
        double[] middle = new double[LINE_POINTS];
        double[] low = new double[LINE_POINTS];
        double[] high = new double[LINE_POINTS];
        for (int i = 0; i < LINE_POINTS; i++) {
            double step = Math.min(first, last) + Math.max(0, last - first) * i / (LINE_POINTS - 1);
            x[i] = step;
            double[] values = curves.stream()
                    .filter(curve -> spread == Spread.MEDIAN_AND_RANGE || curve.end() >= step)
                    .mapToDouble(curve -> curve.at(step))
                    .sorted()
                    .toArray();
            if (spread == Spread.MEDIAN_AND_RANGE) {
                middle[i] = ScoreStatistics.median(values);
                low[i] = values[0];
                high[i] = values[values.length - 1];
            } else {
                double mean = Arrays.stream(values).average().orElse(Double.NaN);
                double squares =
                        Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
                double deviation = values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1));
                middle[i] = mean;
                low[i] = mean - deviation;
                high[i] = mean + deviation;
            }
        }
        return Optional.of(new LineChart.Line(label, x, middle, low, high));
    }

    private double end() {
        return steps[steps.length - 1];
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
