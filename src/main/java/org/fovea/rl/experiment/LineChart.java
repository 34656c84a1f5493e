// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/**
 * Returns over steps as an SVG picture: a line and a band for each of some groups, and dashed lines at returns to compare with,
 * named at their right. It has colours for a light and for a dark page.
 *
 * @param subtitle what the lines and bands are
 * @param levels returns to compare with
 */
public record LineChart(String title, String subtitle, List<Line> lines, List<Level> levels) {
    /** Those of Okabe and Ito, which colour-blind people can tell apart, and a grey; dark enough for a white page. */
    private static final List<String> COLOURS =
            List.of("#0072b2", "#d55e00", "#009e73", "#aa4499", "#c98a00", "#3ba3d9", "#882255", "#6b6b6b");

    private static final List<String> COLOURS_ON_DARK =
            List.of("#4da3ff", "#ff8a4c", "#2fc99a", "#e07fc0", "#f0c040", "#8fd3ff", "#d9668f", "#b0b0b0");

    private static final int LEFT = 84;
    private static final int TOP = 60;
    private static final int PLOT_WIDTH = 640;
    private static final int PLOT_HEIGHT = 300;
    private static final int LEGEND_LINE = 18;

    /** Room for half of the last number of steps, or for the names of levels. */
    private static final int RIGHT = 40;

    private static final int RIGHT_WITH_LEVELS = 170;

    /** Between the names of levels, from line to line. */
    private static final int LEVEL_LINE = 14;

    /** A line through points, and a band from {@code low} to {@code high} around it. */
    public record Line(String label, double[] x, double[] y, double[] low, double[] high) {}

    /** A return by its name. */
    public record Level(String label, double y) {}

    /** The text of the picture. */
    public String svg() {
        int width = LEFT + PLOT_WIDTH + (levels.isEmpty() ? RIGHT : RIGHT_WITH_LEVELS);
        int height = TOP + PLOT_HEIGHT + 54 + lines.size() * LEGEND_LINE;
        StringBuilder svg = new StringBuilder();
        add(
                svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%1$d\" height=\"%2$d\" viewBox=\"0 0 %1$d %2$d\" font-family=\"sans-serif\" font-size=\"12\">",
                width,
                height);
        svg.append(style());
        add(svg, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>", width, height);
        add(svg, "<text x=\"%d\" y=\"22\" font-size=\"15\">%s</text>", LEFT, escaped(title));
        add(svg, "<text x=\"%d\" y=\"41\">%s</text>", LEFT, escaped(subtitle));
        Scale scale = scale();
        addAxes(svg, scale);
        addLevels(svg, scale);
        for (int i = 0; i < lines.size(); i++) {
            addLine(svg, scale, i);
        }
        return svg.append("</svg>\n").toString();
    }

    private static String style() {
        StringBuilder style = new StringBuilder(
                        "<style>\n.page{fill:#ffffff} text{fill:#222222} .grid{stroke:#dddddd} ")
                .append(
                        ".level,.leader{stroke:#777777} .level{stroke-dasharray:6 4} .line{fill:none;stroke-width:2} .band{fill-opacity:0.15}\n");
        addColours(style, COLOURS);
        style.append(
                        "@media (prefers-color-scheme: dark){\n.page{fill:#16191d} text{fill:#dddddd} .grid{stroke:#3a3f45} ")
                .append(".level,.leader{stroke:#999999}\n");
        addColours(style, COLOURS_ON_DARK);
        return style.append("}\n</style>\n").toString();
    }

    private static void addColours(StringBuilder style, List<String> colours) {
        for (int i = 0; i < colours.size(); i++) {
            add(style, ".line.c%1$d{stroke:%2$s} .band.c%1$d{fill:%2$s}", i, colours.get(i));
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

    private static void addAxes(StringBuilder svg, Scale scale) {
        int bottom = TOP + PLOT_HEIGHT;
        for (double y = scale.bottom; y <= scale.top + scale.tick / 2; y += scale.tick) {
            add(svg, "<path class=\"grid\" d=\"M%d %.1fh%d\"/>", LEFT, scale.y(y), PLOT_WIDTH);
            add(svg, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 8, scale.y(y) + 4, number(y));
        }
        double xTick = tick(scale.right);
        for (double x = 0; x <= scale.right * (1 + 1e-9); x += xTick) {
            add(svg, "<path class=\"grid\" d=\"M%.1f %dv5\"/>", scale.x(x), bottom);
            add(svg, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", scale.x(x), bottom + 18, number(x));
        }
        add(
                svg,
                "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">environment steps</text>",
                LEFT + PLOT_WIDTH / 2,
                bottom + 36);
        add(
                svg,
                "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">return of an episode</text>",
                TOP + PLOT_HEIGHT / 2);
    }

    /** Their names, from the highest down, keep a line's distance where their returns are closer. */
    private void addLevels(StringBuilder svg, Scale scale) {
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
            add(svg, "<path class=\"level\" d=\"M%d %.1fH%d\"/>", LEFT, y, right);
            add(svg, "<path class=\"leader\" d=\"M%d %.1fL%d %.1f\"/>", right, y, right + 10, names[i]);
            add(svg, "<text x=\"%d\" y=\"%.1f\">%s</text>", right + 14, names[i] + 4, escaped(level.label));
        }
    }

    private void addLine(StringBuilder svg, Scale scale, int index) {
        Line line = lines.get(index);
        int colour = index % COLOURS.size();
        int legend = TOP + PLOT_HEIGHT + 58 + index * LEGEND_LINE;
        String low = points(scale, line.x, line.low, false);
        add(svg, "<path class=\"band c%d\" d=\"M%sL%sZ\"/>", colour, low, points(scale, line.x, line.high, true));
        add(svg, "<path class=\"line c%d\" d=\"M%s\"/>", colour, points(scale, line.x, line.y, false));
        add(svg, "<path class=\"line c%d\" d=\"M%d %dh24\"/>", colour, LEFT, legend - 4);
        add(svg, "<text x=\"%d\" y=\"%d\">%s</text>", LEFT + 32, legend, escaped(line.label));
    }

    /** From returns and steps to places in the picture; a tick is the distance of grid lines. */
    private record Scale(double right, double bottom, double top, double tick) {
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
