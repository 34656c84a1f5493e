// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** How long a run had been trained when it had taken so many steps, in seconds; pauses between its processes are left out. */
public final class TrainingTime {
    private static final String STEPS = "steps";

    /** Columns of {@value RunFiles#TIMES}. */
    private static final List<String> PHASES = List.of("environment", "inference", "update", "idle");

    private final double[] steps;
    private final double[] seconds;

    private TrainingTime(double[] steps, double[] seconds) {
        this.steps = steps;
        this.seconds = seconds;
    }

    /**
     * From the rows of {@value RunFiles#TIMES}.
     *
     * @param steps rising
     * @param phases seconds of each phase since the row before
     */
    public static TrainingTime ofPhases(double[] steps, double[]... phases) {
        double[] seconds = new double[steps.length];
        double sum = 0;
        for (int row = 0; row < steps.length; row++) {
            for (double[] phase : phases) {
                sum += Double.isFinite(phase[row]) ? phase[row] : 0;
            }
            seconds[row] = sum;
        }
        return new TrainingTime(steps, seconds);
    }

    /**
     * From rows of {@value RunFiles#PROGRESS}, of a run of which not every row is known.
     *
     * @param steps rising
     * @param rates steps per second in the mean until then
     */
    public static TrainingTime ofRates(double[] steps, double[] rates) {
        double[] seconds = new double[steps.length];
        Arrays.setAll(seconds, row -> steps[row] / rates[row]);
        return new TrainingTime(steps, seconds);
    }

    /** From the tables of a run; of one that is being written, the lines that are whole. */
    public static TrainingTime read(Path runDirectory) throws IOException {
        double[][] times = columns(runDirectory.resolve(RunFiles.TIMES), PHASES);
        if (times[0].length > 0) {
            return ofPhases(times[0], Arrays.copyOfRange(times, 1, times.length));
        }
        double[][] progress = columns(runDirectory.resolve(RunFiles.PROGRESS), List.of("steps_per_second"));
        return ofRates(progress[0], progress[1]);
    }

    /** The steps and other columns of a table; nothing where it is not there or has no such columns. */
    private static double[][] columns(Path table, List<String> names) throws IOException {
        List<double[]> rows = new ArrayList<>();
        try (BufferedReader lines = Files.newBufferedReader(table)) {
            String header = lines.readLine();
            List<String> columns = Arrays.asList((header == null ? "" : header).split(",", -1));
            int stepsColumn = columns.indexOf(STEPS);
            int[] wanted = names.stream().mapToInt(columns::indexOf).toArray();
            boolean isThere = stepsColumn >= 0 && Arrays.stream(wanted).allMatch(column -> column >= 0);
            for (String line = lines.readLine(); isThere && line != null; line = lines.readLine()) {
                String[] cells = line.split(",", -1);
                if (cells.length == columns.size()) {
                    double[] row = new double[1 + wanted.length];
                    row[0] = Double.parseDouble(cells[stepsColumn]);
                    for (int i = 0; i < wanted.length; i++) {
                        row[1 + i] = Double.parseDouble(cells[wanted[i]]);
                    }
                    rows.add(row);
                }
            }
        } catch (NoSuchFileException e) {
            // Nothing has been written yet, or the run is of an earlier version.
        } catch (NumberFormatException e) {
            throw new IOException(table + " is not the table of a run: " + e.getMessage(), e);
        }
        double[][] byColumn = new double[1 + names.size()][rows.size()];
        for (int column = 0; column < byColumn.length; column++) {
            for (int row = 0; row < rows.size(); row++) {
                byColumn[column][row] = rows.get(row)[column];
            }
        }
        return byColumn;
    }

    /** Seconds by the last row that is not beyond so many steps; NaN before the first. */
    public double at(double taken) {
        int low = -1;
        int high = steps.length;
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (steps[middle] <= taken) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low < 0 ? Double.NaN : seconds[low];
    }
}
