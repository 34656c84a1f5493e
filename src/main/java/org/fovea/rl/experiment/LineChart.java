// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/**
 * Returns over steps as an SVG picture: a line and a band for each of some groups, and dashed lines at returns to compare with.
 *
 * @param levels returns to compare with
 */
public record LineChart(String title, List<Line> lines, List<Level> levels) {
    private static final List<String> COLOURS =
            List.of("#1f5fbf", "#d1622b", "#2a8a4a", "#8a4fb5", "#c2a31a", "#1a9ba8", "#b5345f", "#6b6b6b");
    private static final int WIDTH = 760;
    private static final int LEFT = 70;
    private static final int TOP = 40;
    private static final int PLOT_WIDTH = WIDTH - LEFT - 20;
    private static final int PLOT_HEIGHT = 300;
    private static final int LEGEND_LINE = 18;

    /** A line through points, and a band from {@code low} to {@code high} around it. */
    public record Line(String label, double[] x, double[] y, double[] low, double[] high) {}

    /** A return by its name. */
    public record Level(String label, double y) {}

    /** The text of the picture. */
    public String svg() {
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
        double tick = tick(Math.max(top - bottom, 1e-9));
        double floor = Math.floor(bottom / tick + 1e-9) * tick;
        Scale scale = new Scale(right, floor, Math.max(floor + tick, Math.ceil(top / tick - 1e-9) * tick));
        int height = TOP + PLOT_HEIGHT + 50 + (lines.size() + levels.size()) * LEGEND_LINE;
        StringBuilder svg = new StringBuilder();
        add(
                svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">",
                WIDTH,
                height);
        add(svg, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>", WIDTH, height);
        add(svg, "<text x=\"%d\" y=\"22\" font-size=\"15\">%s</text>", LEFT, escaped(title));
        for (double y = scale.bottom; y <= scale.top + tick / 2; y += tick) {
            add(svg, "<path d=\"M%d %.1fh%d\" stroke=\"#dddddd\"/>", LEFT, scale.y(y), PLOT_WIDTH);
            add(svg, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 6, scale.y(y) + 4, number(y));
        }
        double xTick = tick(right);
        for (double x = 0; x <= right; x += xTick) {
            add(
                    svg,
                    "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>",
                    scale.x(x),
                    TOP + PLOT_HEIGHT + 16,
                    number(x));
        }
        add(
                svg,
                "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">environment steps</text>",
                LEFT + PLOT_WIDTH / 2,
                TOP + PLOT_HEIGHT + 34);
        int legend = TOP + PLOT_HEIGHT + 54;
        for (int i = 0; i < lines.size(); i++) {
            Line line = lines.get(i);
            String colour = COLOURS.get(i % COLOURS.size());
            add(
                    svg,
                    "<path d=\"M%sL%sZ\" fill=\"%s\" fill-opacity=\"0.15\"/>",
                    points(scale, line.x, line.low, false),
                    points(scale, line.x, line.high, true),
                    colour);
            add(
                    svg,
                    "<path d=\"M%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>",
                    points(scale, line.x, line.y, false),
                    colour);
            add(svg, "<path d=\"M%d %dh24\" stroke=\"%s\" stroke-width=\"2\"/>", LEFT, legend - 4, colour);
            add(svg, "<text x=\"%d\" y=\"%d\">%s</text>", LEFT + 32, legend, escaped(line.label));
            legend += LEGEND_LINE;
        }
        for (int i = 0; i < levels.size(); i++) {
            int dash = 7 - 2 * Math.min(i, 2);
            add(
                    svg,
                    "<path d=\"M%d %.1fh%d\" stroke=\"#777777\" stroke-dasharray=\"%d 4\"/>",
                    LEFT,
                    scale.y(levels.get(i).y),
                    PLOT_WIDTH,
                    dash);
            add(svg, "<path d=\"M%d %dh24\" stroke=\"#777777\" stroke-dasharray=\"%d 4\"/>", LEFT, legend - 4, dash);
            add(svg, "<text x=\"%d\" y=\"%d\">%s</text>", LEFT + 32, legend, escaped(levels.get(i).label));
            legend += LEGEND_LINE;
        }
        return svg.append("</svg>\n").toString();
    }

    /** From returns and steps to places in the picture. */
    private record Scale(double right, double bottom, double top) {
        double x(double steps) {
            return LEFT + PLOT_WIDTH * steps / right;
        }

        double y(double value) {
            return TOP + PLOT_HEIGHT * (top - value) / (top - bottom);
        }
    }

    private static String points(Scale scale, double[] x, double[] y, boolean backwards) {
        StringBuilder points = new StringBuilder();
        for (int i = 0; i < x.length; i++) {
            int at = backwards ? x.length - 1 - i : i;
            points.append(String.format(Locale.ROOT, "%s%.1f %.1f", i == 0 ? "" : "L", scale.x(x[at]), scale.y(y[at])));
        }
        return points.toString();
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

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    private static void add(StringBuilder svg, String format, Object... values) {
        svg.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
