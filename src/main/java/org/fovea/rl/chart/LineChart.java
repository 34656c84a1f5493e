// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.fovea.rl.chart.Canvas.Anchor;
import org.fovea.rl.chart.Canvas.Rule;

/**
 * Numbers over the steps of runs, or over their time: a line and a band for each of some groups, and dashed lines at numbers to compare with, named at
 * their right.
 *
 * @param subtitle what the lines and bands are
 * @param xLabel what they are over
 * @param yLabel what the numbers are
 * @param levels returns to compare with
 */
public record LineChart(
        String title, String subtitle, String xLabel, String yLabel, List<Line> lines, List<Level> levels)
        implements Drawing {
    /** Over which most charts are. */
    public static final String STEPS = "environment steps";

    private static final int LEFT = 84;
    private static final int TOP = 60;
    private static final int PLOT_WIDTH = 640;
    private static final int PLOT_HEIGHT = 300;
    private static final int LEGEND_LINE = 18;
    private static final int SIZE = 12;
    private static final int TITLE_SIZE = 15;

    /** Room for half of the last number of steps, or for the names of levels, the least. */
    private static final int RIGHT = 40;

    private static final int RIGHT_WITH_LEVELS = 170;

    /** From the plot to these names, and what a character of them takes at most in the mean. */
    private static final int BEFORE_LEVEL = 14;

    private static final double CHARACTER = 0.65 * SIZE;

    /** Between the names of levels, from line to line. */
    private static final int LEVEL_LINE = 14;

    /** Of returns, over steps. */
    public LineChart(String title, String subtitle, List<Line> lines, List<Level> levels) {
        this(title, subtitle, STEPS, "return of an episode", lines, levels);
    }

    /** A line through points, and a band from {@code low} to {@code high} around it. */
    public record Line(String label, double[] x, double[] y, double[] low, double[] high) {}

    /** A return by its name. */
    public record Level(String label, double y) {}

    @Override
    public int width() {
        return LEFT + PLOT_WIDTH + (levels.isEmpty() ? RIGHT : Math.max(RIGHT_WITH_LEVELS, widthOfLevels()));
    }

    private int widthOfLevels() {
        int longest =
                levels.stream().mapToInt(level -> level.label.length()).max().orElse(0);
        return BEFORE_LEVEL + (int) Math.ceil(CHARACTER * longest);
    }

    @Override
    public int height() {
        return TOP + PLOT_HEIGHT + 54 + lines.size() * LEGEND_LINE;
    }

    @Override
    public void draw(Canvas canvas) {
        canvas.text(LEFT, 22, TITLE_SIZE, Anchor.START, title);
        canvas.text(LEFT, 41, SIZE, Anchor.START, subtitle);
        Scale scale = scale();
        drawAxes(canvas, scale);
        drawLevels(canvas, scale);
        for (int i = 0; i < lines.size(); i++) {
            drawLine(canvas, scale, i);
        }
    }

    private Scale scale() {
        double right = lines.stream()
                .flatMapToDouble(line -> Arrays.stream(line.x))
                .max()
                .orElse(1);
        double[] ys = Stream.concat(
                        lines.stream().flatMap(line -> Stream.of(line.low, line.high)),
                        Stream.of(levels.stream().mapToDouble(Level::y).toArray()))
                .flatMapToDouble(DoubleStream::of)
                .filter(Double::isFinite)
                .toArray();
        double bottom = Arrays.stream(ys).min().orElse(0);
        double top = Arrays.stream(ys).max().orElse(1);
        if (bottom == top) {
            double margin = bottom == 0 ? 1 : 0.1 * Math.abs(bottom);
            bottom -= margin;
            top += margin;
        }
        double tick = tick(top - bottom);
        double floor = Math.floor(bottom / tick + 1e-9) * tick;
        return new Scale(right, floor, Math.max(floor + tick, Math.ceil(top / tick - 1e-9) * tick), tick);
    }

    private void drawAxes(Canvas canvas, Scale scale) {
        int bottom = TOP + PLOT_HEIGHT;
        for (double y = scale.bottom; y <= scale.top + scale.tick / 2; y += scale.tick) {
            canvas.rule(Rule.GRID, LEFT, scale.y(y), LEFT + PLOT_WIDTH, scale.y(y));
            canvas.text(LEFT - 8, scale.y(y) + 4, SIZE, Anchor.END, number(y));
        }
        double xTick = tick(scale.right);
        for (double x = 0; x <= scale.right * (1 + 1e-9); x += xTick) {
            canvas.rule(Rule.GRID, scale.x(x), bottom, scale.x(x), bottom + 5);
            canvas.text(scale.x(x), bottom + 18, SIZE, Anchor.MIDDLE, number(x));
        }
        canvas.text(LEFT + PLOT_WIDTH / 2.0, bottom + 36, SIZE, Anchor.MIDDLE, xLabel);
        canvas.rotatedText(16, TOP + PLOT_HEIGHT / 2.0, SIZE, yLabel);
    }

    /** Their names, from the highest down, keep a line's distance where their returns are closer. */
    private void drawLevels(Canvas canvas, Scale scale) {
        List<Level> descending = levels.stream()
                .sorted(Comparator.comparingDouble(Level::y).reversed())
                .toList();
        double[] names =
                descending.stream().mapToDouble(level -> scale.y(level.y)).toArray();
        for (int i = 1; i < names.length; i++) {
            names[i] = Math.max(names[i], names[i - 1] + LEVEL_LINE);
        }
        double lowest = TOP + PLOT_HEIGHT;
        for (int i = names.length - 1; i >= 0; i--) {
            names[i] = Math.min(names[i], lowest);
            lowest = names[i] - LEVEL_LINE;
        }
        for (int i = 0; i < names.length; i++) {
            Level level = descending.get(i);
            double y = scale.y(level.y);
            int right = LEFT + PLOT_WIDTH;
            canvas.rule(Rule.LEVEL, LEFT, y, right, y);
            canvas.rule(Rule.LEADER, right, y, right + 10, names[i]);
            canvas.text(right + BEFORE_LEVEL, names[i] + 4, SIZE, Anchor.START, level.label);
        }
    }

    private void drawLine(Canvas canvas, Scale scale, int index) {
        Line line = lines.get(index);
        int legend = TOP + PLOT_HEIGHT + 58 + index * LEGEND_LINE;
        double[] x = Arrays.stream(line.x).map(scale::x).toArray();
        canvas.band(index, x, scale.ys(line.low), scale.ys(line.high));
        canvas.line(index, x, scale.ys(line.y));
        canvas.line(index, new double[] {LEFT, LEFT + 24}, new double[] {legend - 4, legend - 4});
        canvas.text(LEFT + 32, legend, SIZE, Anchor.START, line.label);
    }

    /** From returns and steps to places in the picture; a tick is the distance of grid lines. */
    private record Scale(double right, double bottom, double top, double tick) {
        double x(double steps) {
            return LEFT + PLOT_WIDTH * steps / right;
        }

        double y(double value) {
            return TOP + PLOT_HEIGHT * (top - value) / (top - bottom);
        }

        double[] ys(double[] values) {
            return Arrays.stream(values).map(this::y).toArray();
        }
    }

    /** A round number of which some four to eight make the range. */
    private static double tick(double range) {
        double power = Math.pow(10, Math.floor(Math.log10(range / 4)));
        double times = range / 4 / power;
        return power * (times >= 5 ? 5 : times >= 2 ? 2 : 1);
    }

    private static String number(double value) {
        double rounded = Math.abs(value) < 1e-9 ? 0 : value;
        return Math.abs(rounded) >= 1000
                ? String.format(Locale.ROOT, "%,.0f", rounded)
                : String.format(Locale.ROOT, "%.4g", rounded).replaceFirst("\\.?0+$", "");
    }
}
