// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

import java.util.Locale;

/** A picture as SVG. Its colours are those of a light page, or on a dark one others. */
final class SvgCanvas implements Canvas {
    private static final int USUAL_SIZE = 12;

    private final StringBuilder svg = new StringBuilder();

    SvgCanvas(int width, int height) {
        add(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%1$d\" height=\"%2$d\" viewBox=\"0 0 %1$d %2$d\" font-family=\"sans-serif\" font-size=\"12\">",
                width, height);
        svg.append(style());
        add("<rect class=\"page\" width=\"%d\" height=\"%d\"/>", width, height);
    }

    private static String style() {
        StringBuilder style = new StringBuilder(
                        "<style>\n.page{fill:#ffffff} text{fill:#222222} .grid{stroke:#dddddd} ")
                .append(
                        ".level,.leader{stroke:#777777} .level{stroke-dasharray:6 4} .line{fill:none;stroke-width:2} .band{fill-opacity:0.15}\n")
                .append(".cell{fill:#0072b2} .none{fill:#dddddd} .frame{fill:none;stroke:#777777}\n");
        addColours(style, Palette.LIGHT);
        style.append(
                        "@media (prefers-color-scheme: dark){\n.page{fill:#16191d} text{fill:#dddddd} .grid{stroke:#3a3f45} ")
                .append(
                        ".level,.leader{stroke:#999999}\n.cell{fill:#4da3ff} .none{fill:#3a3f45} .frame{stroke:#999999}\n");
        addColours(style, Palette.DARK);
        return style.append("}\n</style>\n").toString();
    }

    private static void addColours(StringBuilder style, Palette palette) {
        for (int i = 0; i < palette.size(); i++) {
            style.append(String.format(
                            Locale.ROOT, ".line.c%1$d{stroke:%2$s} .band.c%1$d{fill:%2$s}", i, palette.hex(i)))
                    .append('\n');
        }
    }

    @Override
    public void rule(Rule rule, double fromX, double fromY, double toX, double toY) {
        add(
                "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>",
                rule.name().toLowerCase(Locale.ROOT), fromX, fromY, toX, toY);
    }

    @Override
    public void line(int colour, double[] x, double[] y) {
        add("<path class=\"line c%d\" d=\"M%s\"/>", Palette.LIGHT.index(colour), points(x, y, false));
    }

    @Override
    public void band(int colour, double[] x, double[] low, double[] high) {
        add(
                "<path class=\"band c%d\" d=\"M%sL%sZ\"/>",
                Palette.LIGHT.index(colour), points(x, low, false), points(x, high, true));
    }

    private static String points(double[] x, double[] y, boolean backwards) {
        StringBuilder points = new StringBuilder();
        for (int i = 0; i < x.length; i++) {
            int at = backwards ? x.length - 1 - i : i;
            points.append(String.format(Locale.ROOT, "%s%.1f %.1f", i == 0 ? "" : "L", x[at], y[at]));
        }
        return points.toString();
    }

    @Override
    public void cell(double x, double y, double width, double height, double shade) {
        String kind = Double.isNaN(shade) ? "none" : "cell";
        double opacity = Double.isNaN(shade) ? 1 : shade;
        add(
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill-opacity=\"%.3f\"/>",
                kind, x, y, width, height, opacity);
    }

    @Override
    public void frame(double x, double y, double width, double height) {
        add("<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x, y, width, height);
    }

    @Override
    public void text(double x, double y, int size, Anchor anchor, String text) {
        add(
                "<text x=\"%.1f\" y=\"%.1f\"%s%s>%s</text>",
                x,
                y,
                size == USUAL_SIZE ? "" : " font-size=\"" + size + "\"",
                anchor == Anchor.START ? "" : " text-anchor=\"" + anchor.name().toLowerCase(Locale.ROOT) + "\"",
                escaped(text));
    }

    @Override
    public void rotatedText(double x, double y, int size, String text) {
        add(
                "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>",
                x, y, escaped(text));
    }

    String text() {
        return svg + "</svg>\n";
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    private void add(String format, Object... values) {
        svg.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
