// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.rl.run.RunFiles;
import org.fovea.rl.run.TrainingTime;

/** Curves of runs, of as many points as a view can show. */
final class Curves {
    private static final long MOST_BYTES = 128L << 20;
    private static final List<String> TABLES = List.of(RunFiles.PROGRESS, RunFiles.EVALUATIONS, RunFiles.TIMES);

    /** Those used last are the last. */
    private final Map<Path, Table> tables = new LinkedHashMap<>(16, 0.75f, true);

    /**
     * A curve.
     *
     * @param x of its points, in steps or seconds
     * @param y means of what lies between one point and the next
     * @param rows that it was made of
     * @param sampled whether there are more rows than were looked at
     */
    record Curve(List<Double> x, List<Double> y, int rows, boolean sampled) {}

    /**
     * Seconds that a run spent.
     *
     * @param environment see {@code TrainingLog.Times}
     */
    record Times(double environment, double inference, double update, double idle, double stepsPerSecond) {}

    private Table table(Path run, String name) throws IOException {
        Table table;
        synchronized (tables) {
            table = tables.computeIfAbsent(run.resolve(name), Table::new);
        }
        table.refresh();
        synchronized (tables) {
            long bytes = tables.values().stream().mapToLong(Table::size).sum();
            Iterator<Table> oldest = tables.values().iterator();
            while (bytes > MOST_BYTES && oldest.hasNext()) {
                Table dropped = oldest.next();
                if (dropped != table) {
                    bytes -= dropped.size();
                    oldest.remove();
                }
            }
        }
        return table;
    }

    /**
     * Curves of a run.
     *
     * @param tableName {@value RunFiles#PROGRESS} or another
     * @param columns whose curves are wanted
     * @param byTime whether over seconds of training; else over steps
     * @param points at most
     */
    Map<String, Curve> of(Path run, String tableName, List<String> columns, boolean byTime, int points)
            throws IOException, RequestException {
        if (!TABLES.contains(tableName)) {
            throw new RequestException(400, "there is no table '" + tableName + "'; those of a run are " + TABLES);
        }
        Table table = table(run, tableName);
        double[] steps = table.column("steps");
        double[] x = byTime ? Arrays.stream(steps).map(time(run)::at).toArray() : steps;
        Map<String, Curve> curves = new LinkedHashMap<>();
        for (String column : columns) {
            curves.put(column, reduced(x, table.column(column), points, table.isSampled()));
        }
        return curves;
    }

    private TrainingTime time(Path run) throws IOException {
        Table times = table(run, RunFiles.TIMES);
        if (times.rows() == 0 || times.isSampled()) {
            // One of an earlier version, or so long that not every row is here: by the mean rate.
            Table progress = table(run, RunFiles.PROGRESS);
            return TrainingTime.ofRates(progress.column("steps"), progress.column("steps_per_second"));
        }
        return TrainingTime.ofPhases(times.column("steps"), phases(times));
    }

    private static double[][] phases(Table times) {
        return new double[][] {
            times.column("environment"), times.column("inference"), times.column("update"), times.column("idle")
        };
    }

    private static Curve reduced(double[] x, double[] y, int points, boolean sampled) {
        List<Double> xs = new ArrayList<>();
        List<Double> ys = new ArrayList<>();
        int each = Math.max(1, (x.length + points - 1) / points);
        for (int from = 0; from < x.length; from += each) {
            int to = Math.min(x.length, from + each);
            double sum = 0;
            int count = 0;
            for (int i = from; i < to; i++) {
                if (Double.isFinite(y[i])) {
                    sum += y[i];
                    count++;
                }
            }
            if (count > 0 && Double.isFinite(x[to - 1])) {
                xs.add(x[to - 1]);
                ys.add(sum / count);
            }
        }
        return new Curve(xs, ys, x.length, sampled);
    }

    /** What a run spent its time on. */
    Times times(Path run) throws IOException {
        double[] sums = new double[4];
        Table times = table(run, RunFiles.TIMES);
        double[][] phases = phases(times);
        for (int phase = 0; phase < 4; phase++) {
            for (double seconds : phases[phase]) {
                sums[phase] += Double.isFinite(seconds) ? seconds : 0;
            }
        }
        double[] rates = table(run, RunFiles.PROGRESS).column("steps_per_second");
        return new Times(sums[0], sums[1], sums[2], sums[3], rates.length == 0 ? Double.NaN : rates[rates.length - 1]);
    }
}
